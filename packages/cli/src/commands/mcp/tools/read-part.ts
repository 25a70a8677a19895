import { isContinuation } from "./cut-middle.ts";

/** The longest character in UTF-8 (RFC 3629, section 3). */
const characterBytesMax = 4;

/**
 * Reads a part of a stream and cancels what is left of it. A part of a text
 * ends before a character that it would split.
 */
export async function readPart(
  stream: ReadableStream<Uint8Array>,
  options: { offset: number; bytesMax: number; isText: boolean },
): Promise<{ bytes: Buffer; nextOffset: number | null }> {
  const { offset, bytesMax, isText } = options;
  const parts: Uint8Array[] = [];
  let toSkip = offset;
  // One byte more than is wanted shows that the file does not end there.
  let toRead = bytesMax + 1;
  for await (const chunk of stream) {
    const part = chunk.subarray(toSkip, toSkip + toRead);
    toSkip = Math.max(0, toSkip - chunk.length);
    if (part.length > 0) parts.push(part);
    toRead -= part.length;
    if (toRead === 0) break;
  }
  const read = Buffer.concat(parts);
  if (read.length <= bytesMax) return { bytes: read, nextOffset: null };
  const end = isText ? characterStart(read, bytesMax) : bytesMax;
  return { bytes: read.subarray(0, end), nextOffset: offset + end };
}

/** Where the character of a byte begins; the byte itself where there is no such beginning. */
function characterStart(bytes: Buffer, index: number): number {
  for (let start = index; start > index - characterBytesMax && start >= 0; start -= 1) {
    if (!isContinuation(bytes[start])) return start;
  }
  return index;
}
