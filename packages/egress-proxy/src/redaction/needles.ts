/**
 * One form of a value, as bytes that can occur in a response. `edges` is present
 * where the neighbouring characters also have bits of the value.
 */
export interface Needle {
  readonly bytes: Buffer;
  readonly edges: Base64Edges | undefined;
}

/** The base64 characters next to a needle that the value shares with its neighbours. */
export interface Base64Edges {
  /** The character before the needle, described by the bits that are the value's. */
  readonly before: SharedCharacter | undefined;
  readonly after: SharedCharacter | undefined;
}

/** A character is shared when `index & mask` is `bits`, its index being that of the alphabet. */
export interface SharedCharacter {
  readonly mask: number;
  readonly bits: number;
}

/** Length of the shortest needle that has a complete block at any position. */
export const needleBytesMin = 15;

/**
 * Returns the forms of one part of a value that can occur in a response byte for
 * byte: unchanged; in base64 and base64url, at each of the three positions in a
 * group; in hexadecimal of either case; in UTF-16 of either byte order. Escaped
 * forms (percent, JSON, HTML) are found in decoded views instead.
 */
export function needlesOf(part: string): Needle[] {
  const value = Buffer.from(part, "utf8");
  const plain = [
    value,
    // HTML forms encode a space as a plus sign.
    Buffer.from(part.replaceAll(" ", "+"), "utf8"),
    Buffer.from(value.toString("hex"), "latin1"),
    Buffer.from(value.toString("hex").toUpperCase(), "latin1"),
    ...utf16Forms(part),
  ].map((bytes) => ({ bytes: withoutLineBreaks(bytes), edges: undefined }));
  const encoded = (["base64", "base64url"] as const).flatMap((alphabet) =>
    [0, 1, 2].map((preceding) => base64Form(value, preceding, alphabet)),
  );
  const distinct = new Map<string, Needle>();
  for (const needle of [...plain, ...encoded]) {
    if (needle.bytes.length < needleBytesMin) continue;
    const key = `${needle.bytes.toString("latin1")} ${JSON.stringify(needle.edges)}`;
    if (!distinct.has(key)) distinct.set(key, needle);
  }
  return [...distinct.values()];
}

export function withoutLineBreaks(bytes: Buffer): Buffer {
  return bytes.filter((byte) => byte !== 0x0a && byte !== 0x0d) as Buffer;
}

/**
 * Returns the characters that the value alone determines when `preceding` bytes
 * of its first group belong to its neighbour. At each end one more character may
 * have some of its bits.
 */
function base64Form(value: Buffer, preceding: number, alphabet: "base64" | "base64url"): Needle {
  const padded = Buffer.concat([Buffer.alloc(preceding), value]);
  const characters = padded.toString("base64url");
  const firstBit = preceding * 8;
  const endBit = padded.length * 8;
  const first = Math.ceil(firstBit / 6);
  const end = Math.floor(endBit / 6);
  const before = firstBit % 6 === 0 ? undefined : shared(characters, first - 1, firstBit % 6, 6);
  const after = endBit % 6 === 0 ? undefined : shared(characters, end, 0, endBit % 6);
  const text = characters.slice(first, end);
  return {
    bytes: Buffer.from(
      alphabet === "base64url" ? text : text.replaceAll("-", "+").replaceAll("_", "/"),
      "latin1",
    ),
    edges: before === undefined && after === undefined ? undefined : { before, after },
  };
}

/** Returns the bits from `from` to `to` of a character, counted from its highest. */
function shared(characters: string, at: number, from: number, to: number): SharedCharacter {
  const mask = ((1 << (6 - from)) - 1) & ~((1 << (6 - to)) - 1);
  return { mask, bits: (base64Index(characters.charCodeAt(at)) ?? 0) & mask };
}

/** Returns the index of a base64 or base64url character; undefined for any other byte. */
export function base64Index(byte: number): number | undefined {
  if (byte >= 0x41 && byte <= 0x5a) return byte - 0x41;
  if (byte >= 0x61 && byte <= 0x7a) return byte - 0x61 + 26;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30 + 52;
  if (byte === 0x2b || byte === 0x2d) return 62;
  return byte === 0x2f || byte === 0x5f ? 63 : undefined;
}

/** UTF-16; for ASCII one needle serves both byte orders: the zero bytes at its ends are left out. */
function utf16Forms(part: string): Buffer[] {
  const little = Buffer.from(part, "utf16le");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the test is whether all is ASCII
  if (/^[\x00-\x7f]*$/.test(part)) return [little.subarray(0, -1)];
  return [little, Buffer.from(little).swap16()];
}
