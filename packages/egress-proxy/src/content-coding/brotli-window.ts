/** The largest window of Brotli without the extension for larger ones, which is no content coding. */
export const brotliWindowLogMax = 24;

/**
 * Returns the window that Brotli data states in its first byte, as a power of two
 * (RFC 7932 §9.1); undefined for no data, and for a byte with which none may begin.
 */
export function brotliWindowLog(beginning: Buffer): number | undefined {
  const [byte] = beginning;
  if (byte === undefined) return undefined;
  if ((byte & 1) === 0) return 16;
  const large = (byte >> 1) & 7;
  if (large !== 0) return 17 + large;
  const small = (byte >> 4) & 7;
  if (small === 0) return 17;
  return small === 1 ? undefined : 8 + small;
}
