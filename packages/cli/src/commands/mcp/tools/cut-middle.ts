/**
 * Shortens a text to its beginning and end, with a line between them that
 * states how much is missing. No character is split.
 *
 * @param bytesMax Bytes in UTF-8 that are kept, without that line.
 */
export function cutMiddle(text: string, bytesMax: number): { text: string; bytesCut: number } {
  const bytes = Buffer.from(text);
  if (bytes.length <= bytesMax) return { text, bytesCut: 0 };
  let headEnd = Math.ceil(bytesMax / 2);
  while (isContinuation(bytes[headEnd])) headEnd -= 1;
  let tailStart = bytes.length - Math.floor(bytesMax / 2);
  while (isContinuation(bytes[tailStart])) tailStart += 1;
  const bytesCut = tailStart - headEnd;
  const head = bytes.toString("utf8", 0, headEnd);
  const tail = bytes.toString("utf8", tailStart);
  return { text: `${head}\n[${bytesCut} bytes cut]\n${tail}`, bytesCut };
}

/** RFC 3629, section 3: bytes 10xxxxxx continue a character. */
export function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
