/**
 * Whether a value occurs completely in a text, in any form that is recognised.
 * It decodes everything naively, shares no code with the search, and rather
 * finds too much than too little.
 */
export function holdsWhole(given: Buffer, value: string): boolean {
  const bytes = Buffer.from(value, "utf8");
  const little = Buffer.from(value, "utf16le");
  const big = Buffer.from(little).swap16();
  const plain = [
    bytes,
    Buffer.from(value.replaceAll(" ", "+"), "utf8"),
    little.subarray(0, -1),
    little.subarray(1),
    big.subarray(1),
    big.subarray(0, -1),
  ].map((form) => form.toString("latin1"));
  const hexadecimal = bytes.toString("hex");
  const base64 = [0, 1, 2].map((preceding) => bitsOf(bytes, preceding));
  return readings(given.toString("latin1")).some((read) => {
    const view = read.replace(/[\r\n]/g, "");
    return (
      plain.some((form) => view.includes(form)) ||
      view.toLowerCase().includes(hexadecimal) ||
      base64.some((characters) => holdsBits(view, characters))
    );
  });
}

/** The text unchanged, and after each way of unescaping, once and twice; bytes are latin1 characters. */
function readings(text: string): string[] {
  const once = unescaped(text);
  return [text, ...once, ...once.flatMap(unescaped)];
}

function unescaped(text: string): string[] {
  return [
    unescapeBackslashes(text),
    ...afterCuts(text).map(unescapeBackslashes),
    text.replace(/%([0-9a-fA-F]{2})/g, (_, digits) =>
      String.fromCharCode(Number.parseInt(digits, 16)),
    ),
    unescapeEntities(text),
    joinSeparated(text),
  ].filter((read) => read !== text);
}

/** Hexadecimal with the same byte between any two pairs of digits. */
function joinSeparated(text: string): string {
  return text.replace(/[0-9a-fA-F]{2}([^0-9a-fA-F])[0-9a-fA-F]{2}(?:\1[0-9a-fA-F]{2})+/gs, (run) =>
    (run.match(/[0-9a-fA-F]{2}/g) ?? [])
      .map((pair) => String.fromCharCode(Number.parseInt(pair, 16)))
      .join(""),
  );
}

/** A stream may be split in a run of backslashes, and be decoded from its middle. */
function afterCuts(text: string): string[] {
  return text.includes("\\\\") ? [text.replace(/\\\\/g, "\\")] : [];
}

const letters: Readonly<Record<string, string>> = { b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

function unescapeBackslashes(text: string): string {
  return text.replace(
    /((?:\\u[0-9a-fA-F]{4})+)|\\(?:x([0-9a-fA-F]{2})|U([0-9a-fA-F]{8})|([0-7]{1,3})|([bfnrt\r\n !-/:-@[-`{-~]))/g,
    (_, units?: string, byte?: string, point?: string, octal?: string, letter?: string) => {
      if (byte !== undefined) return String.fromCharCode(Number.parseInt(byte, 16));
      if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 0xff);
      if (point !== undefined)
        return utf8(String.fromCodePoint(Number.parseInt(point, 16) % 0x110000));
      if (units === undefined) return letters[letter ?? ""] ?? letter ?? "";
      return utf8(
        units
          .slice(2)
          .split("\\u")
          .map((digits) => String.fromCharCode(Number.parseInt(digits, 16)))
          .join(""),
      );
    },
  );
}

const names: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  sol: "/",
  plus: "+",
  equals: "=",
  period: ".",
  lowbar: "_",
  percnt: "%",
  bsol: "\\",
  commat: "@",
  excl: "!",
  quest: "?",
  ast: "*",
  lpar: "(",
  rpar: ")",
  lsqb: "[",
  rsqb: "]",
  verbar: "|",
  Hat: "^",
  grave: "`",
  dollar: "$",
  comma: ",",
};

function unescapeEntities(text: string): string {
  return text.replace(
    /&(?:#[xX]([0-9a-fA-F]+)|#([0-9]+)|([A-Za-z]+));/g,
    (all, hex, digits, name) => {
      if (name !== undefined) return names[name] ?? all;
      const point = hex === undefined ? Number(digits) : Number.parseInt(hex, 16);
      return point > 0x10ffff ? all : utf8(String.fromCodePoint(point));
    },
  );
}

function utf8(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

interface Bits {
  readonly mask: number;
  readonly bits: number;
}

/** What the value's bits are, character by character of base64. */
function bitsOf(bytes: Buffer, preceding: number): Bits[] {
  const bit = (at: number) => {
    const byte = bytes[(at >> 3) - preceding];
    return byte === undefined ? undefined : (byte >> (7 - (at & 7))) & 1;
  };
  const first = Math.floor((preceding * 8) / 6);
  const end = Math.ceil(((preceding + bytes.length) * 8) / 6);
  return Array.from({ length: end - first }, (_, character) => {
    let mask = 0;
    let bits = 0;
    for (let at = 0; at < 6; at += 1) {
      const one = bit((first + character) * 6 + at);
      mask = (mask << 1) | (one === undefined ? 0 : 1);
      bits = (bits << 1) | (one ?? 0);
    }
    return { mask, bits };
  });
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function holdsBits(view: string, characters: readonly Bits[]): boolean {
  const indexes = [...view.replaceAll("-", "+").replaceAll("_", "/")].map((character) =>
    alphabet.indexOf(character),
  );
  for (let at = 0; at + characters.length <= indexes.length; at += 1) {
    const isWhole = characters.every(({ mask, bits }, character) => {
      const index = indexes[at + character] ?? -1;
      return index !== -1 && (index & mask) === bits;
    });
    if (isWhole) return true;
  }
  return false;
}
