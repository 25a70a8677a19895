/** HTML's names of ASCII characters and of the no-break space (HTML, section 13.5). */
const characters: ReadonlyMap<string, number> = new Map(
  Object.entries({
    Tab: 9,
    NewLine: 10,
    nbsp: 160,
    excl: 33,
    quot: 34,
    QUOT: 34,
    num: 35,
    dollar: 36,
    percnt: 37,
    amp: 38,
    AMP: 38,
    apos: 39,
    lpar: 40,
    rpar: 41,
    ast: 42,
    midast: 42,
    plus: 43,
    comma: 44,
    period: 46,
    sol: 47,
    colon: 58,
    semi: 59,
    lt: 60,
    LT: 60,
    equals: 61,
    gt: 62,
    GT: 62,
    quest: 63,
    commat: 64,
    lsqb: 91,
    lbrack: 91,
    bsol: 92,
    rsqb: 93,
    rbrack: 93,
    Hat: 94,
    lowbar: 95,
    UnderBar: 95,
    grave: 96,
    DiacriticalGrave: 96,
    lcub: 123,
    lbrace: 123,
    verbar: 124,
    vert: 124,
    VerticalLine: 124,
    rcub: 125,
    rbrace: 125,
  }),
);

interface Name {
  readonly bytes: Buffer;
  readonly codePoint: number;
}

/** The names by {@link hashOf} of their bytes, so that a lookup creates no string. */
const names: ReadonlyMap<number, Name> = new Map(
  [...characters].map(([name, codePoint]) => {
    const bytes = Buffer.from(name, "latin1");
    return [hashOf(bytes, 0, bytes.length), { bytes, codePoint }];
  }),
);

const digitsMax = 7;
const replacementCharacter = 0xfffd;
const numberSign = 0x23;

/** Returns the character that `source[from…to]` names, without `&` and `;`; -1 when it names none. */
export function entityCodePoint(source: Uint8Array, from: number, to: number): number {
  if (source[from] === numberSign) return numericCodePoint(source, from + 1, to);
  const name = names.get(hashOf(source, from, to));
  if (name === undefined || name.bytes.length !== to - from) return -1;
  for (let at = 0; at < name.bytes.length; at += 1) {
    if (name.bytes[at] !== source[from + at]) return -1;
  }
  return name.codePoint;
}

function numericCodePoint(source: Uint8Array, from: number, to: number): number {
  const isHexadecimal = ((source[from] as number) | 0x20) === 0x78;
  const first = isHexadecimal ? from + 1 : from;
  if (to === first || to - first > digitsMax) return -1;
  const base = isHexadecimal ? 16 : 10;
  let value = 0;
  for (let at = first; at < to; at += 1) {
    const digit = hexadecimalDigit(source[at] as number);
    if (digit === -1 || digit >= base) return -1;
    value = value * base + digit;
  }
  const isCharacter = value > 0 && value <= 0x10ffff && (value < 0xd800 || value > 0xdfff);
  return isCharacter ? value : replacementCharacter;
}

function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0;
  for (let at = from; at < to; at += 1) hash = (Math.imul(hash, 31) + (bytes[at] as number)) | 0;
  return hash;
}

/** Returns the number that these hexadecimal digits are; -1 when one of them is not a digit. */
export function hexadecimal(source: Uint8Array, from: number, digits: number): number {
  let value = 0;
  for (let at = from; at < from + digits; at += 1) {
    const digit = hexadecimalDigit(source[at] ?? 0);
    if (digit === -1) return -1;
    value = value * 16 + digit;
  }
  return value;
}

/** Returns the value of a hexadecimal digit; -1 for any other byte. */
export function hexadecimalDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
