import { type BodyReader, readWhole } from "../http1/body-reader.ts";
import type { ByteChannel } from "../http1/byte-channel.ts";
import { BodySubstituter } from "../substitution/body-substituter.ts";
import type { SeenSecrets } from "../substitution/seen-secrets.ts";
import type { OutgoingRequest } from "./outgoing-request.ts";
import type { MeasuredBody } from "./send-request.ts";

/**
 * Collects a body whose length is within bounds, substitutes its tokens and
 * measures the result. A guest that waits for `100 Continue` gets it from
 * here, as the upstream will see the request only when its body is there.
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
  const substituter = new BodySubstituter(request.tokens, request.bodyForm, seen);
  const parts = [...substituter.push(collected), ...substituter.end()];
  let octets = 0;
  for (const part of parts) octets += part.length;
  return { parts, octets };
}
