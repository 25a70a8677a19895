import type { SessionPolicy } from "../../egress-policy/session-policy.ts";
import type { Field } from "../../http/fields.ts";
import {
  connectionOptions,
  isHopByHop,
  upgradeProtocol,
  wantsTrailers,
} from "../../http/hop-by-hop.ts";
import type { Framing, RequestHead } from "../../http/message-heads.ts";
import type { OutgoingRequestHead } from "../../http/outgoing-heads.ts";
import { headTooLarge, substitutedHeadBytesMax } from "../../token-substitution/replace-tokens.ts";
import type { SeenSecrets } from "../../token-substitution/seen-secrets.ts";
import { substituteField } from "../../token-substitution/substitute-header.ts";
import { substituteTarget } from "../../token-substitution/substitute-target.ts";
import type { TokenTable } from "../../token-substitution/token-table.ts";
import { Refusal } from "../failure/refusal.ts";
import { grpcFraming } from "../grpc/grpc-content.ts";
import { expectOf } from "../guest/guest-side.ts";
import type { CheckedRequest } from "./find-destination.ts";
import { asksForPart, isPartField } from "./partial-request.ts";
import { type BodyPlan, planBody, planSignedBody } from "./plan-body.ts";
import type { VerifiedSignature } from "./verify-signature.ts";

/** A request as it is sent upstream, except for its body and the fields that frame it. */
export interface OutgoingRequest extends BodyPlan {
  readonly head: OutgoingRequestHead;
  /** `Expect` as received; it is sent upstream unless the body is collected first. */
  readonly expect: string | undefined;
  /** How the guest frames the body. */
  readonly framing: Framing;
  /** Whether the guest gave a Content-Length of 0, which has to be sent on. */
  readonly declaresEmptyBody: boolean;
  readonly guestWantsClose: boolean;
  /** Whether the request is a call of gRPC. */
  readonly isGrpc: boolean;
  /** The policy in effect when the request arrived. */
  readonly policy: SessionPolicy;
  /** Whether a part of the resource was requested, so that a 206 is allowed. */
  readonly mayGetPartial: boolean;
  readonly tokens: TokenTable;
  /** How the request was signed; undefined for one that is not signed with an AWS secret. */
  readonly signature: VerifiedSignature | undefined;
}

/** What separates the name of a field from its value, and the end of its line. */
const fieldLineBytes = ": \r\n".length;

const identityOnly: Field = {
  name: "Accept-Encoding",
  lowerName: "accept-encoding",
  value: "identity",
};

const identityMessagesOnly: Field = {
  name: "grpc-accept-encoding",
  lowerName: "grpc-accept-encoding",
  value: "identity",
};

/** Fields that the proxy writes itself, from what it has parsed. */
const rewrittenFields = new Set(["host", "content-length", "expect"]);

/**
 * Prepares a request for its upstream: makes its head, with values in
 * place of the tokens that may become them there, and decides what becomes of its
 * body. Field names are unchanged.
 *
 * A request that is signed with an AWS secret is signed again, as it is sent.
 *
 * @throws {SecretNotUsableError}
 * @throws {HttpSyntaxError} `too_large` when the head grows too large
 * @throws {Refusal} 403 for an upgrade whose bytes could not be searched
 */
export function prepareRequest(
  head: RequestHead,
  framing: Framing,
  checked: CheckedRequest,
  policy: SessionPolicy,
  seen: SeenSecrets,
  signature?: VerifiedSignature,
): OutgoingRequest {
  const { destination } = checked;
  const signed = signature?.signed;
  const tokens = policy.tokens.forDestination(destination);
  const searches = tokens.entries.size > 0;
  const options = connectionOptions(head.fields);
  const upgrade =
    framing.kind === "none" && head.minorVersion === 1
      ? upgradeProtocol(head.fields, options)
      : undefined;
  const isGrpc = head.method === "POST" && grpcFraming(head.fields) !== undefined;
  const dropsPartFields = policy.mayStoreValue(destination.host);
  const dropped = (lowerName: string): boolean =>
    rewrittenFields.has(lowerName) ||
    isHopByHop(lowerName) ||
    signed?.replaces(lowerName) === true ||
    (dropsPartFields && isPartField(lowerName)) ||
    (upgrade !== undefined && lowerName === "sec-websocket-extensions") ||
    (policy.search !== undefined &&
      (lowerName === "accept-encoding" || lowerName === "grpc-accept-encoding"));

  const received = signed?.bareTarget ?? checked.target;
  let target = searches ? substituteTarget(received, tokens, seen) : received;
  const fields: Field[] = [];
  const secretFields: string[] = [];
  // The target is not counted: its length depends on the characters of values.
  let bytes = `Host: ${destination.host}\r\n`.length;
  for (const field of head.fields) {
    if (dropped(field.lowerName)) continue;
    const value = searches ? substituteField(field, tokens, seen) : field.value;
    bytes += field.name.length + value.length + fieldLineBytes;
    if (bytes > substitutedHeadBytesMax) throw headTooLarge();
    if (value === field.value) fields.push(field);
    else {
      fields.push({ name: field.name, lowerName: field.lowerName, value });
      secretFields.push(field.lowerName);
    }
  }
  if (policy.search !== undefined) fields.push(isGrpc ? identityMessagesOnly : identityOnly);
  if (signed !== undefined) {
    const { method } = head;
    const again = signed.signAgain({
      ...{ method, target },
      fields: [...fields, hostField(destination.host), ...head.fields.filter(isContentLength)],
    });
    target = again.target;
    fields.push(...again.fields);
    secretFields.push(...again.fields.map(({ lowerName }) => lowerName));
    seen.noteSubstituted(signed.credential.name, "signature");
  }
  if (upgrade !== undefined && !isWebSocket(upgrade)) refuseUnsearchable(policy, seen);
  const plan = planBody(head, framing, tokens);

  return {
    head: {
      method: head.method,
      target,
      host: destination.host,
      fields,
      secretFields,
      takesTrailers: wantsTrailers(head.fields),
      upgrade,
    },
    expect: expectOf(head),
    framing,
    declaresEmptyBody: framing.kind === "none" && head.fields.some(isContentLength),
    guestWantsClose: head.minorVersion === 0 || options.has("close"),
    isGrpc,
    policy,
    mayGetPartial: !dropsPartFields && asksForPart(head),
    tokens,
    ...(signed === undefined ? plan : planSignedBody(plan)),
    signature,
  };
}

/** As it is sent, whatever the wire calls it. */
function hostField(host: string): Field {
  return { name: "Host", lowerName: "host", value: host };
}

function isWebSocket(protocol: string): boolean {
  return protocol.toLowerCase() === "websocket";
}

/** Refuses an upgrade to an unknown protocol, which cannot be searched for values. */
function refuseUnsearchable(policy: SessionPolicy, seen: SeenSecrets): void {
  if (policy.search === undefined && seen.substituted.length === 0) return;
  throw new Refusal(
    "upgrade_refused",
    "The upgrade is refused: with secrets in the sandbox, only an upgrade to websocket is allowed",
  );
}

function isContentLength(field: { lowerName: string }): boolean {
  return field.lowerName === "content-length";
}
