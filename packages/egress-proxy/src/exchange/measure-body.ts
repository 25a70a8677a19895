import { type BodyReader, readWhole } from "../http1/body-reader.ts";
import type { ByteChannel } from "../http1/byte-channel.ts";
import { BodyMembers } from "../substitution/body-members.ts";
import { BodySubstituter } from "../substitution/body-substituter.ts";
import type { SeenSecrets } from "../substitution/seen-secrets.ts";
import type { OutgoingRequest } from "./outgoing-request.ts";
import type { MeasuredBody } from "./send-request.ts";

/**
 * Collects a body whose length is within bounds, substitutes its tokens and
 * measures the result. A guest that waits for `100 Continue` gets it from
 * here, as the upstream will see the request only when its body is complete.
 *
 * @throws {HttpSyntaxError} `truncated`
 * @throws {ChannelLostError}
 */
export async function measureBody(
  guest: ByteChannel,
  request: OutgoingRequest,
  body: BodyReader,
  seen: SeenSecrets,
): Promise<MeasuredBody> {
  if (request.expect?.toLowerCase() === "100-continue")
    guest.write("HTTP/1.1 100 Continue\r\n\r\n");
  const collected = await readWhole(body);
  const substituter = substituterFor(request, seen, collected);
  const parts = [...substituter.push(collected), ...substituter.end()];
  let bytes = 0;
  for (const part of parts) bytes += part.length;
  return { parts, bytes };
}

/** A substituter for the request's body; `whole` is all of it when it has been collected. */
export function substituterFor(
  request: OutgoingRequest,
  seen: SeenSecrets,
  whole: Buffer | undefined,
): BodySubstituter {
  const { tokens, bodyForm } = request;
  const members =
    whole !== undefined && request.editsBodyMembers
      ? BodyMembers.find(whole, bodyForm, tokens.bodyFields)
      : undefined;
  return new BodySubstituter(tokens, bodyForm, seen, members);
}

/**
 * Reads a body of unknown length until its end has come, or more than
 * `bytesMax`. `whole` is all of it, where it is no longer than that.
 *
 * @throws {HttpSyntaxError} for the guest's framing
 * @throws {ChannelLostError}
 */
export async function collectBody(
  body: BodyReader,
  bytesMax: number,
): Promise<{ readonly parts: readonly Buffer[]; readonly whole: Buffer | undefined }> {
  if (bytesMax === 0) return { parts: [], whole: undefined };
  const parts: Buffer[] = [];
  while (!body.complete && body.octets <= bytesMax) {
    const data = await body.read();
    if (data !== null) parts.push(...data);
  }
  if (!body.complete || body.octets > bytesMax) return { parts, whole: undefined };
  const whole = Buffer.concat(parts);
  return { parts: [whole], whole };
}
