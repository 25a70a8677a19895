/**
 * Percent-encodes every byte of a text of one character per byte, except the
 * unreserved characters of RFC 3986 §2.3.
 */
export function encodeBytes(text: string): string {
  return text.replace(
    /[^A-Za-z0-9\-._~]/g,
    (character) =>
      `%${(character.charCodeAt(0) & 0xff).toString(16).toUpperCase().padStart(2, "0")}`,
  );
}

/** Decodes to one character per byte. A percent sign that begins no escape stays. */
export function decodeBytes(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_match, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
