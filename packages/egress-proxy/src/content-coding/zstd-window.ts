const magic = 0xfd2fb528;
/** Magic number and header of a frame (RFC 8878 §3.1.1). */
export const zstdHeaderBytesMax = 18;
const windowLogMin = 10;

/**
 * Returns the window that the first frame of zstd data asks for, as the next power of
 * two; undefined when the data does not begin with all of a frame's header (RFC 8878
 * §3.1.1).
 */
export function zstdWindowLog(beginning: Buffer): number | undefined {
  if (beginning.length < zstdHeaderBytesMax || beginning.readUInt32LE(0) !== magic)
    return undefined;
  const descriptor = beginning.readUInt8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  if (isSingleSegment) {
    const log = Math.ceil(Math.log2(contentBytes(beginning, descriptor)));
    return Math.max(windowLogMin, log);
  }
  const window = beginning.readUInt8(5);
  return windowLogMin + (window >> 3) + ((window & 7) === 0 ? 0 : 1);
}

/** The content size of a frame whose window is all of it. */
function contentBytes(header: Buffer, descriptor: number): number {
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const at = 5 + dictionaryBytes;
  switch (descriptor >> 6) {
    case 0:
      return header.readUInt8(at);
    case 1:
      return header.readUInt16LE(at) + 256;
    case 2:
      return header.readUInt32LE(at);
    default:
      return Number(header.readBigUInt64LE(at));
  }
}
