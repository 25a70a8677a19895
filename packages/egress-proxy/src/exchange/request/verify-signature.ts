import { serviceLimits } from "@opencomputer/protocol/wire";
import {
  asksForCredentials,
  assertNoNewCredentials,
} from "../../aws-signature/assert-no-new-credentials.ts";
import { AwsSignatureError } from "../../aws-signature/aws-signature-error.ts";
import { sha256 } from "../../aws-signature/credential-scope.ts";
import { readSignedRequest } from "../../aws-signature/read-signed-request.ts";
import type { SignedRequest } from "../../aws-signature/signed-request.ts";
import type { SessionPolicy } from "../../egress-policy/session-policy.ts";
import { type IncomingBody, readWhole } from "../../http/incoming-body.ts";
import type { Framing, RequestHead } from "../../http/message-heads.ts";
import { askForBody, expectOf } from "../guest/guest-side.ts";
import { takeBudget } from "../state/body-reservation.ts";
import type { Exchange } from "../state/exchange.ts";
import type { CheckedRequest } from "./find-destination.ts";

/** A request whose signature by an AWS secret of the sandbox was verified. */
export interface VerifiedSignature {
  readonly signed: SignedRequest;
  /** All of the body, when it had to be collected for its hash. */
  readonly body: Buffer | undefined;
}

/**
 * Verifies the signature of a request that the guest signed with the tokens of
 * an AWS secret which it may use at the destination; undefined for any other request.
 *
 * @throws {AwsSignatureError}
 * @throws {HttpSyntaxError} for the guest's body
 */
export async function verifySignature(
  exchange: Exchange,
  head: RequestHead,
  framing: Framing,
  { destination, target }: CheckedRequest,
  policy: SessionPolicy,
  body: IncomingBody,
): Promise<VerifiedSignature | undefined> {
  const { awsCredentials } = policy.tokens.forDestination(destination);
  if (awsCredentials.size === 0) return undefined;
  const { method, fields } = head;
  const signed = readSignedRequest({ method, target, fields }, awsCredentials, {
    hasBody: framing.kind !== "none",
    nowMilliseconds: exchange.deps.clock.wallMilliseconds(),
  });
  if (signed === undefined) return undefined;
  const { payload, signature, credential } = signed;
  const isChecked = asksForCredentials(signature.scope.service);
  if (payload.kind !== "body" && !isChecked) {
    signed.verify(payload.hash);
    return { signed, body: undefined };
  }
  const collected = await collectSignedBody(exchange, head, framing, body);
  signed.verify(payload.kind === "body" ? sha256(collected) : payload.hash);
  if (isChecked) {
    const request = { method, target, fields };
    assertNoNewCredentials(request, collected, destination.host, credential);
  }
  return { signed, body: framing.kind === "none" ? undefined : collected };
}

/** A body of unknown length is charged with this many bytes, and may have no more. */
const unknownLengthBytesMax = 1024 * 1024;

async function collectSignedBody(
  exchange: Exchange,
  head: RequestHead,
  framing: Framing,
  body: IncomingBody,
): Promise<Buffer> {
  if (framing.kind === "none") return Buffer.alloc(0);
  const bytesMax = framing.kind === "length" ? framing.length : unknownLengthBytesMax;
  if (bytesMax > serviceLimits.awsSignedBodyBytesMax) {
    throw tooLarge(bytesMax, serviceLimits.awsSignedBodyBytesMax);
  }
  if (!takeBudget(exchange, bytesMax)) {
    throw new AwsSignatureError(
      "The sandbox sends too many bodies with a signature over them at the same time: send fewer requests at a time, or state the hash of each body in x-amz-content-sha256",
      "busy",
    );
  }
  askForBody(exchange.connection.guest, expectOf(head));
  if (framing.kind === "length") return readWhole(body);
  const parts: Buffer[] = [];
  while (!body.complete) {
    const data = await body.read();
    if (data !== null) parts.push(...data);
    if (body.bytes > bytesMax) throw tooLarge(body.bytes, bytesMax);
  }
  return Buffer.concat(parts);
}

function tooLarge(bytes: number, bytesMax: number): AwsSignatureError {
  return new AwsSignatureError(
    `The signature covers a body of ${bytes} bytes or more whose hash the request does not state, expected at most ${bytesMax}: state the hash, or UNSIGNED-PAYLOAD, in x-amz-content-sha256`,
    "too_large",
  );
}
