import { createSeededRandom } from "@opencomputer/harness";
import { encodingNames, encodings } from "./encodings.ts";

export const bodyBytes = 1024 ** 2;

/** Kinds of the long responses that are downloaded. */
export const downloadKinds = ["text", "json", "binary"] as const;

/** Contents that are compared in time, each in every encoding as `<content>.<encoding>`. */
const comparedContents = ["right", "wrong", "random", "otherRandom"] as const;

/** The most expensive known body for a search: escapes and beginnings of escapes. */
export const hostilePatterns = {
  base64OfA: "QUFB",
  percentSigns: "%",
  backslashes: "\\",
  ampersands: "&",
  percentEscapes: "%41",
  jsonEscapes: "\\u0041",
  jsonEscapesInJson: "\\\\u0041",
  namedEntities: "&amp;",
  numericEntities: "&#65;",
  unfinishedEntities: "&aaaaaaaaaaaaaaa",
} as const;

/** Creates bodies of {@link bodyBytes} by the name of their kind, each once. */
export function createBodies(values: {
  value: string;
  otherValue: string;
}): (kind: string) => Buffer {
  const makers = new Map<string, () => Buffer>([
    ["text", () => filled(wordLines)],
    ["json", () => filled(escapedJson)],
    ["binary", () => randomBytes("binary")],
  ]);
  for (const [name, pattern] of Object.entries(hostilePatterns)) {
    makers.set(name, () => filled(() => pattern));
  }
  const contents: Record<(typeof comparedContents)[number], () => Buffer> = {
    right: () => filled(() => nearMiss(values.value)),
    wrong: () => filled(() => nearMiss(values.otherValue)),
    random: () => Buffer.from(randomBytes("random").toString("base64url")),
    otherRandom: () => Buffer.from(randomBytes("other random").toString("base64url")),
  };
  for (const content of comparedContents) {
    for (const encoding of encodingNames) {
      const encode = encodings[encoding];
      makers.set(`${content}.${encoding}`, () =>
        Buffer.from(encode(contents[content]()), "latin1").subarray(0, bodyBytes),
      );
    }
  }
  const made = new Map<string, Buffer>();
  return (kind) => {
    const make = makers.get(kind);
    if (make === undefined) throw new RangeError(`No body of the kind ${JSON.stringify(kind)}`);
    const body = made.get(kind) ?? make();
    made.set(kind, body);
    return body;
  };
}

/** The value with another last byte. */
function nearMiss(value: string): string {
  return value.slice(0, -1) + (value.endsWith("x") ? "y" : "x");
}

const random = createSeededRandom("bodies of the bench");
const letters = [..."etaoinshrdlucmfwypvbgkjqxz"];

/** Words of 2 to 9 letters in lines of 12. */
function wordLines(): string {
  return `${Array.from({ length: 12 }, word).join(" ")}\n`;
}

function word(): string {
  const length = 2 + Math.floor(random.number() * 8);
  return Array.from({ length }, () => random.pick(letters)).join("");
}

/** A call of a tool as a model's API returns it: JSON in a string of JSON, and no other ASCII. */
function escapedJson(): string {
  const inner = { path: `/${word()}/${word()}`, text: `"${word()}"\n\tcafé ${word()}\n` };
  const outer = { id: word(), arguments: JSON.stringify(inner), comment: `${word()} "é"\n` };
  return `${JSON.stringify(outer).replaceAll("é", "\\u00e9")},`;
}

function filled(next: () => string): Buffer {
  const parts: string[] = [];
  for (let length = 0; length < bodyBytes; ) {
    const part = next();
    parts.push(part);
    length += part.length;
  }
  return Buffer.from(parts.join(""), "latin1").subarray(0, bodyBytes);
}

function randomBytes(seed: string): Buffer {
  const source = createSeededRandom(seed);
  const words = Uint32Array.from({ length: bodyBytes / 4 }, () => source.number() * 2 ** 32);
  return Buffer.from(words.buffer);
}
