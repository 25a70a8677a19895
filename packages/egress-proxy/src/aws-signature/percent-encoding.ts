const reserved = /[^A-Za-z0-9\-._~]/;

const percent = 0x25;
const hexadecimal = Buffer.from("0123456789ABCDEF", "latin1");
const isReserved = Array.from({ length: 256 }, (_, byte) =>
  reserved.test(String.fromCharCode(byte)),
);

/**
 * Percent-encodes every byte of a text of one character per byte, except the
 * unreserved characters of RFC 3986 §2.3.
 */
export function encodeBytes(text: string): string {
  if (!reserved.test(text)) return text;
  // A guest may make it long: a replacement by a regular expression takes ten times as long.
  const encoded = Buffer.allocUnsafe(3 * text.length);
  let length = 0;
  for (let at = 0; at < text.length; at += 1) {
    const byte = text.charCodeAt(at) & 0xff;
    if (isReserved[byte] === false) {
      encoded[length] = byte;
      length += 1;
      continue;
    }
    encoded[length] = percent;
    encoded[length + 1] = hexadecimal[byte >> 4] ?? 0;
    encoded[length + 2] = hexadecimal[byte & 15] ?? 0;
    length += 3;
  }
  return encoded.toString("latin1", 0, length);
}

/** Decodes to one character per byte. A percent sign that begins no escape stays. */
export function decodeBytes(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_match, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
