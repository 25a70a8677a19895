/** A spelling of bytes; one of the forms that are recognised. */
export type Spell = (bytes: Buffer) => Buffer;

const text = (spell: (text: string) => string): Spell => {
  return (bytes) => Buffer.from(spell(bytes.toString("utf8")), "utf8");
};
const ascii = (spell: (bytes: Buffer) => string): Spell => {
  return (bytes) => Buffer.from(spell(bytes), "latin1");
};
const hexOf = (byte: number, digits = 2) => byte.toString(16).padStart(digits, "0");
const json = (given: string) => JSON.stringify(given).slice(1, -1);
const units = (given: string) =>
  Array.from({ length: given.length }, (_, at) => given.charCodeAt(at));
const everyUnit = (given: string) =>
  units(given)
    .map((unit) => `\\u${hexOf(unit, 4)}`)
    .join("");
const pythonJson = (given: string) =>
  json(given).replace(/[^ -~]/g, (unit) => `\\u${hexOf(unit.charCodeAt(0), 4)}`);
const percent = (bytes: Buffer, isEscaped: (byte: number, at: number) => boolean) =>
  [...bytes]
    .map((byte, at) =>
      isEscaped(byte, at) || byte < 0x21 || byte > 0x7e || byte === 0x25
        ? `%${hexOf(byte)}`
        : String.fromCharCode(byte),
    )
    .join("");
const entities = (given: string, write: (point: number) => string) =>
  [...given].map((character) => write(character.codePointAt(0) ?? 0)).join("");
const bytesWith = (bytes: Buffer, write: (byte: number) => string) =>
  [...bytes].map(write).join("");
const punctuation = (given: string, write: (character: string) => string) =>
  given.replace(/[!-/:-@[-`{-~]/g, write);
const entityNames: Record<string, string> = {
  "&": "amp",
  "<": "lt",
  ">": "gt",
  '"': "quot",
  "'": "#39",
  "/": "sol",
  "+": "plus",
  "=": "equals",
  ".": "period",
  "-": "#45",
  _: "lowbar",
};

/** How base64 is wrapped: the column, and the line break as it is written. */
interface Wrapping {
  readonly column: number;
  readonly lineBreak: string;
}

const wrappings: Readonly<Record<string, Wrapping | undefined>> = {
  "not wrapped": undefined,
  "wrapped at 19": { column: 19, lineBreak: "\n" },
  "wrapped at 64": { column: 64, lineBreak: "\n" },
  "wrapped at 76": { column: 76, lineBreak: "\r\n" },
  "wrapped at 60 in JSON": { column: 60, lineBreak: "\\n" },
};

/** Base64 of the bytes where so many others precede them in their group, and one follows. */
function base64(
  alphabet: "base64" | "base64url",
  preceding: number,
  wrapping: Wrapping | undefined,
): Spell {
  return ascii((bytes) => {
    const before = Buffer.from("~.x".slice(0, preceding));
    const encoded = Buffer.concat([before, bytes, Buffer.from("~")]).toString(alphabet);
    if (wrapping === undefined) return encoded;
    const lines = encoded.match(new RegExp(`.{1,${wrapping.column}}`, "g")) ?? [];
    return lines.join(wrapping.lineBreak);
  });
}

/** Every form that is recognised, by a name for the reader. */
export const spellings: Readonly<Record<string, Spell>> = {
  raw: (bytes) => bytes,
  ...Object.fromEntries(
    (["base64", "base64url"] as const).flatMap((alphabet) =>
      [0, 1, 2].flatMap((preceding) =>
        Object.entries(wrappings).map(([name, wrapping]): [string, Spell] => [
          `${alphabet} after ${preceding} bytes, ${name}`,
          base64(alphabet, preceding, wrapping),
        ]),
      ),
    ),
  ),
  hexadecimal: ascii((bytes) => bytes.toString("hex")),
  "hexadecimal in upper case": ascii((bytes) => bytes.toString("hex").toUpperCase()),
  "percent for every byte": ascii((bytes) => percent(bytes, () => true)),
  "percent in upper case": ascii((bytes) => percent(bytes, () => true).toUpperCase()),
  "percent for punctuation": ascii((bytes) =>
    percent(bytes, (byte) => !/[A-Za-z0-9]/.test(String.fromCharCode(byte))),
  ),
  "percent for every third byte": ascii((bytes) => percent(bytes, (_, at) => at % 3 === 0)),
  "JavaScript's JSON": text(json),
  "Python's JSON": text(pythonJson),
  "Go's JSON": text((given) =>
    json(given).replace(/[&<>]/g, (unit) => `\\u00${hexOf(unit.charCodeAt(0))}`),
  ),
  "PHP's JSON": text((given) => json(given).replaceAll("/", "\\/")),
  "JSON with every code unit escaped": text(everyUnit),
  "JSON inside JSON": text((given) => json(json(given))),
  "Python's JSON inside JSON": text((given) => json(pythonJson(given))),
  "escaped code units inside JSON": text((given) => json(everyUnit(given))),
  "named entities": text((given) =>
    given.replace(/[&<>"'/+=._-]/g, (character) => `&${entityNames[character] ?? "amp"};`),
  ),
  "decimal entities": text((given) => entities(given, (point) => `&#${point};`)),
  "hexadecimal entities": text((given) => entities(given, (point) => `&#x${point.toString(16)};`)),
  "bytes of Python": ascii((bytes) => bytesWith(bytes, (byte) => `\\x${hexOf(byte)}`)),
  "octal digits of C": ascii((bytes) =>
    bytesWith(bytes, (byte) => `\\${byte.toString(8).padStart(3, "0")}`),
  ),
  "a backslash before punctuation": text((given) =>
    punctuation(given, (character) => `\\${character}`),
  ),
  "hexadecimal separated by spaces": ascii((bytes) =>
    [...bytes].map((byte) => hexOf(byte)).join(" "),
  ),
  "hexadecimal separated by colons": ascii((bytes) =>
    [...bytes].map((byte) => hexOf(byte).toUpperCase()).join(":"),
  ),
  "little-endian UTF-16": (bytes) => Buffer.from(bytes.toString("utf8"), "utf16le"),
  "big-endian UTF-16": (bytes) => Buffer.from(bytes.toString("utf8"), "utf16le").swap16(),
};

/** Forms in two layers of escapes, of values that have no escape in them. */
export const layeredSpellings: Readonly<Record<string, Spell>> = {
  "percent twice": text((given) =>
    encodeURIComponent(punctuation(given, (character) => encodeURIComponent(character))),
  ),
  "percent for every byte, twice": ascii((bytes) =>
    percent(bytes, () => true).replaceAll("%", "%25"),
  ),
  "PHP's JSON in a URL": text((given) => encodeURIComponent(json(given).replaceAll("/", "\\/"))),
  "HTML in Go's JSON": text((given) =>
    punctuation(given, (character) => `\\u0026#${character.charCodeAt(0)};`),
  ),
  "HTML twice": text((given) =>
    punctuation(given, (character) => `&amp;#${character.charCodeAt(0)};`),
  ),
  "percent in HTML": text((given) => encodeURIComponent(given).replaceAll("%", "&#37;")),
  "octal digits of C in JSON": ascii((bytes) =>
    bytesWith(bytes, (byte) => `\\\\${byte.toString(8).padStart(3, "0")}`),
  ),
  "percent in hexadecimal separated by spaces": text((given) =>
    [...Buffer.from(encodeURIComponent(given))].map((byte) => hexOf(byte)).join(" "),
  ),
};

/** Names of the forms in one layer, and in JSON inside JSON. */
export const spellingNames: readonly string[] = Object.keys(spellings);

/** The bytes in the form of this name. */
export function spell(name: string, bytes: Buffer | string): Buffer {
  const form = spellings[name] ?? layeredSpellings[name];
  if (form === undefined) throw new RangeError(`There is no spelling ${name}`);
  return form(typeof bytes === "string" ? Buffer.from(bytes, "utf8") : bytes);
}
