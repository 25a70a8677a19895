import { limits } from "@opencomputer/protocol";
import type { ByteChannel } from "./byte-channel.ts";
import { HttpSyntaxError, malformed } from "./http-syntax-error.ts";

const headEnd = Buffer.from("\r\n\r\n");
const nothing: Buffer = Buffer.alloc(0);
const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/**
 * What {@link readHead} reads, when all of it has arrived in one piece;
 * undefined when there is more to it than that.
 */
export function takeHead(channel: ByteChannel): Buffer | undefined {
  const octets = channel.take();
  if (octets === undefined) return undefined;
  const end = octets[0] === carriageReturn ? -1 : octets.indexOf(headEnd);
  if (end === -1 || end > limits.httpHeadBytesMax) {
    channel.unread(octets);
    return undefined;
  }
  const bodyStart = end + headEnd.length;
  if (bodyStart < octets.length) channel.unread(octets.subarray(bodyStart));
  return octets.subarray(0, end);
}

/**
 * Reads up to the empty line that ends a head and answers the octets before
 * it; what follows stays in the channel. Null when the channel ends before
 * the first octet. One empty line in front is skipped (RFC 9112 §2.2).
 *
 * @throws {HttpSyntaxError} `too_large` over `limits.httpHeadBytesMax`,
 * `truncated` when the channel ends inside, `malformed` for a bare LF.
 * @throws {ChannelLostError}
 */
export async function readHead(channel: ByteChannel): Promise<Buffer | null> {
  let octets = nothing;
  let mayStartWithEmptyLine = true;
  for (;;) {
    const arrived = channel.take() ?? (await channel.read());
    if (arrived === null) {
      if (octets.length === 0) return null;
      throw new HttpSyntaxError("truncated", "the connection ended inside a head");
    }
    const searchedUpTo = Math.max(0, octets.length - headEnd.length);
    octets = octets.length === 0 ? arrived : Buffer.concat([octets, arrived]);
    if (mayStartWithEmptyLine && octets[0] === carriageReturn) {
      if (octets.length === 1) continue;
      if (octets[1] === lineFeed) octets = octets.subarray(2);
    }
    mayStartWithEmptyLine = false;
    const end = octets.indexOf(headEnd, searchedUpTo);
    if (end > limits.httpHeadBytesMax || (end === -1 && octets.length > limits.httpHeadBytesMax)) {
      throw new HttpSyntaxError(
        "too_large",
        `the head is larger than ${limits.httpHeadBytesMax} bytes`,
      );
    }
    if (end !== -1) {
      const bodyStart = end + headEnd.length;
      if (bodyStart < octets.length) channel.unread(octets.subarray(bodyStart));
      return octets.subarray(0, end);
    }
    refuseBareLineFeed(octets, searchedUpTo);
  }
}

/** A head with bare LF line ends would never end: it is refused when it is seen. */
function refuseBareLineFeed(octets: Buffer, from: number): void {
  for (let at = octets.indexOf(lineFeed, from); at !== -1; at = octets.indexOf(lineFeed, at + 1)) {
    if (octets[at - 1] !== carriageReturn) throw malformed("a line ends in LF alone, not in CRLF");
  }
}
