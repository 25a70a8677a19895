import { serviceLimits } from "@opencomputer/protocol/wire";
import { HttpSyntaxError, malformed } from "../http/http-syntax-error.ts";
import type { ByteChannel } from "./byte-channel.ts";

const headEnd = Buffer.from("\r\n\r\n");
const nothing: Buffer = Buffer.alloc(0);
const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/**
 * Takes what {@link readHead} would read, when all of it has arrived in one
 * piece and begins with no empty line; undefined otherwise.
 */
export function takeHead(channel: ByteChannel): Buffer | undefined {
  const bytes = channel.take();
  if (bytes === undefined) return undefined;
  const end = bytes[0] === carriageReturn ? -1 : bytes.indexOf(headEnd);
  if (end === -1 || end > serviceLimits.httpHeadBytesMax) {
    channel.unread(bytes);
    return undefined;
  }
  const bodyStart = end + headEnd.length;
  if (bodyStart < bytes.length) channel.unread(bytes.subarray(bodyStart));
  return bytes.subarray(0, end);
}

/**
 * Reads up to the empty line that ends a head and returns the bytes before
 * it; what follows stays in the channel. Null when the channel ends before
 * the first byte. One empty line in front is skipped (RFC 9112 §2.2).
 *
 * @throws {HttpSyntaxError} `too_large` over `serviceLimits.httpHeadBytesMax`,
 * `truncated` when the channel ends inside, `malformed` for a bare LF.
 * @throws {ChannelLostError}
 */
export async function readHead(channel: ByteChannel): Promise<Buffer | null> {
  let bytes = nothing;
  let mayStartWithEmptyLine = true;
  for (;;) {
    const arrived = channel.take() ?? (await channel.read());
    if (arrived === null) {
      if (bytes.length === 0) return null;
      throw new HttpSyntaxError("truncated", "the connection ended inside a head");
    }
    const searchedUpTo = Math.max(0, bytes.length - headEnd.length);
    bytes = bytes.length === 0 ? arrived : Buffer.concat([bytes, arrived]);
    if (mayStartWithEmptyLine && bytes[0] === carriageReturn) {
      if (bytes.length === 1) continue;
      if (bytes[1] === lineFeed) bytes = bytes.subarray(2);
    }
    mayStartWithEmptyLine = false;
    const end = bytes.indexOf(headEnd, searchedUpTo);
    if (
      end > serviceLimits.httpHeadBytesMax ||
      (end === -1 && bytes.length > serviceLimits.httpHeadBytesMax)
    ) {
      throw new HttpSyntaxError(
        "too_large",
        `the head is larger than ${serviceLimits.httpHeadBytesMax} bytes`,
      );
    }
    if (end !== -1) {
      const bodyStart = end + headEnd.length;
      if (bodyStart < bytes.length) channel.unread(bytes.subarray(bodyStart));
      return bytes.subarray(0, end);
    }
    refuseBareLineFeed(bytes, searchedUpTo);
  }
}

/** Refuses a head with bare LF line ends at once: its end would never be found. */
function refuseBareLineFeed(bytes: Buffer, from: number): void {
  for (let at = bytes.indexOf(lineFeed, from); at !== -1; at = bytes.indexOf(lineFeed, at + 1)) {
    if (bytes[at - 1] !== carriageReturn) throw malformed("a line ends in LF alone, not in CRLF");
  }
}
