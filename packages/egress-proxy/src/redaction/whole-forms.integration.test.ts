import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { splitAtRandom } from "../testing/http-split.ts";
import { cutAt, redactorOf, token } from "../testing/observed-redactor.ts";
import { createSeededRandom } from "../testing/seeded-random.ts";
import { randomPair } from "../testing/value-pairs.ts";
import { layeredSpellings, spell, spellingNames } from "../testing/value-spellings.ts";
import { holdsWhole } from "../testing/whole-value-oracle.ts";
import { BlockScanner } from "./block-scanner.ts";
import { redactWhole, StreamRedactor } from "./stream-redactor.ts";
import { createValueSearch, type ValueSearch } from "./value-search.ts";

const key = "sk-ant/api03+qT7vX2mLp9ZrW4cKd8HsNf3bYg6JuEaR";
const awkward = 'a/b&c+d"e\\f<9Q7x>%zR2kLm4 p=?Ü€😀Wv8Tn1';
const values = { token: key, text: awkward };
/** What stands for a value of class text in layers of escapes: it has none in itself. */
const layered = { token: key, text: 'a/b&c+d"e<9Q7x>zR2kLm4 p=?Ü€😀Wv8Tn1' };

function searchFor(value: string): ValueSearch {
  const search = createValueSearch(new BlockScanner(), [{ name: "KEY", token, value }]);
  assert.ok(search !== undefined, "the value is not searched for");
  return search;
}

/** What leaves while these parts arrive, and after them when the text ends. */
function redact(search: ValueSearch, parts: readonly Buffer[]): { left: Buffer; rest: Buffer } {
  const redactor = new StreamRedactor(
    () => search,
    () => undefined,
  );
  const left = Buffer.concat(parts.flatMap((part) => redactor.push(part)));
  return { left, rest: Buffer.concat(redactor.end()) };
}

/** Around the token, only what a form shares with its neighbours. */
const onlyToken =
  /^~+(?:[A-Za-z0-9+/_-]{1,4}(?:\r?\n|\\n)?|\0)?osb_sealed_a{32}(?:(?:\r?\n|\\n)?[A-Za-z0-9+/_=-]{1,4}|\0)?~+$/;

/** Shows the difference as text. */
function assertSame(actual: Buffer, expected: Buffer, message: string): void {
  if (actual.equals(expected)) return;
  assert.deepEqual(actual.toString("latin1"), expected.toString("latin1"), message);
}

for (const [releaseClass, value, names] of [
  ...Object.entries(values).map(([name, value]) => [name, value, spellingNames] as const),
  ...Object.entries(layered).map(
    ([name, value]) => [name, value, Object.keys(layeredSpellings)] as const,
  ),
]) {
  describe(`a complete form of a value of class ${releaseClass}, split anywhere`, () => {
    const search = searchFor(value);
    for (const name of names) {
      const form = spell(name, value);
      const surrounded = [
        [Buffer.from('"'), Buffer.from('"')],
        [Buffer.from("key=\n"), Buffer.from("\n and more\n")],
        [Buffer.from("a line\r\n\r\n"), Buffer.from("\r\n")],
        [Buffer.from("data: "), Buffer.from(" ")],
      ].map((around) => Buffer.concat([around[0] ?? form, form, around[1] ?? form]));

      test(`${name}: in two parts`, () => {
        for (const text of surrounded) {
          const expected = Buffer.concat(Object.values(redact(search, [text])));
          assert.equal(holdsWhole(expected, value), false);
          assert.ok(expected.includes(token), expected.toString("latin1"));
          for (let cut = 0; cut <= text.length; cut += 1) {
            const { left, rest } = redact(search, cutAt(text, [cut]));
            assertSame(Buffer.concat([left, rest]), expected, `cut at ${cut}`);
            // Without the rest, as after a reset, what left is a beginning that has nothing of it.
            const upTo = redact(search, [text.subarray(0, cut)]).left;
            assertSame(upTo, expected.subarray(0, upTo.length), `broken off at ${cut}`);
          }
        }
      });

      test(`${name}: byte by byte, and split at random`, () => {
        const random = createSeededRandom(201);
        for (const text of surrounded) {
          const expected = Buffer.concat(Object.values(redact(search, [text])));
          const bytes = [...text].map((byte) => Buffer.from([byte]));
          assertSame(Buffer.concat(Object.values(redact(search, bytes))), expected, "byte by byte");
          for (let round = 0; round < 12; round += 1) {
            const parts = splitAtRandom(text, random.pick([2, 9, 40]), random);
            const { left, rest } = redact(search, parts);
            assertSame(
              Buffer.concat([left, rest]),
              expected,
              `${parts.map((part) => part.length)}`,
            );
          }
        }
      });

      test(`${name}: where the held tail begins inside it`, () => {
        const before = Buffer.alloc(2 * search.tailBytes, "~");
        for (
          let after = search.tailBytes - form.length - 4;
          after <= search.tailBytes + 4;
          after += 1
        ) {
          const text = Buffer.concat([before, form, Buffer.alloc(Math.max(0, after), "~")]);
          const { left, rest } = redact(search, [text, Buffer.from("~~")]);
          const all = Buffer.concat([left, rest]).toString("latin1");
          assert.match(all, onlyToken, `${after} bytes after it`);
        }
      });
    }
  });
}

describe("many values and many forms in one text", () => {
  test("are released as when the text arrives at once, however it is split", () => {
    const random = createSeededRandom(202);
    for (let round = 0; round < 150; round += 1) {
      const { value, other } = randomPair(random, random.pick(["token", "text"]));
      const text = Buffer.concat(
        Array.from({ length: 1 + random.below(6) }, () =>
          Buffer.concat([
            spell(random.pick(spellingNames), random.pick([value, value, other])),
            Buffer.from(random.pick(["\n", "\n\n", "\r\n", "\n<p>", "\n  "])),
          ]),
        ),
      );
      const redactAll = (parts: readonly Buffer[]) => {
        const redactor = redactorOf(value, other);
        return Buffer.concat([...parts.flatMap((part) => redactor.push(part)), ...redactor.end()]);
      };
      const parts = splitAtRandom(text, random.pick([1, 5, 60, 600]), random);
      assertSame(redactAll(parts), redactAll([text]), `round ${round}`);
      assert.equal(holdsWhole(redactAll(parts), value), false);
    }
  });
});

/** What escapes a text of ASCII, as different programs do. */
const layers: Readonly<Record<string, (text: string) => string>> = {
  nothing: (text) => text,
  encodeURIComponent,
  "percent for every byte": (text) => escapeEach(text, /./g, (code) => `%${hex(code, 2)}`),
  JSON: (text) => JSON.stringify(text).slice(1, -1),
  "PHP's JSON": (text) => JSON.stringify(text).slice(1, -1).replaceAll("/", "\\/"),
  "Go's JSON": (text) => escapeEach(text, /[&<>]/g, (code) => `\\u${hex(code, 4)}`),
  "JSON throughout": (text) => escapeEach(text, /./g, (code) => `\\u${hex(code, 4)}`),
  "decimal entities": (text) => escapeEach(text, /[&<>"'+=/\\%]/g, (code) => `&#${code};`),
  "hexadecimal entities": (text) =>
    escapeEach(text, /[^A-Za-z0-9]/g, (code) => `&#x${hex(code, 2)};`),
  Markdown: (text) => text.replace(/[!-/:-@[-`{-~]/g, "\\$&"),
  Python: (text) => escapeEach(text, /[^A-Za-z0-9]/g, (code) => `\\x${hex(code, 2)}`),
};
const inLayers: Readonly<Record<string, (value: string) => string>> = {
  raw: (value) => value,
  base64: (value) => Buffer.from(value).toString("base64"),
  "base64 inside of more": (value) => Buffer.from(`x${value}yz`).toString("base64"),
  hexadecimal: (value) => Buffer.from(value).toString("hex"),
};
const hex = (code: number, digits: number) => code.toString(16).padStart(digits, "0");
const escapeEach = (text: string, which: RegExp, write: (code: number) => string) =>
  text.replace(which, (character) => write(character.charCodeAt(0)));

describe("two layers of escapes, whichever they are", () => {
  test("become the token, split anywhere", () => {
    const random = createSeededRandom(203);
    let tried = 0;
    while (tried < 1500) {
      const { value } = randomPair(random, "token");
      const [form, writeForm] = random.pick(Object.entries(inLayers));
      const [inner, escapeInside] = random.pick(Object.entries(layers));
      const [outer, escapeOutside] = random.pick(Object.entries(layers));
      const spelled = escapeOutside(escapeInside(writeForm(value)));
      // Where one byte takes more, the held tail may be too short for it.
      if (spelled.length > 11 * value.length) continue;
      tried += 1;
      const text = Buffer.from(`{"a":"~${spelled}~"}\n<p>%20&amp;\\n</p>\n`);
      const redactor = redactorOf(value);
      const parts = splitAtRandom(text, random.pick([5, 60, 2000]), random);
      const left = Buffer.concat([
        ...parts.flatMap((part) => redactor.push(part)),
        ...redactor.end(),
      ]);
      const shown = left.toString("latin1");
      assert.ok(shown.startsWith('{"a":"~'), shown);
      assert.ok(shown.includes(token), `${form}, ${inner}, ${outer}: ${value} in ${shown}`);
      assert.equal(holdsWhole(left, value), false);
    }
  });
});

describe("a held tail that begins next to an escape", () => {
  const value = "nWJalrXU/nFEMI/K7MDENG/bPxRfiCYz3ExAmP9kEy";
  const scanner = new BlockScanner();
  const search = createValueSearch(scanner, [
    { name: "KEY", token: `osb_sealed_${"e".repeat(32)}`, value },
  ]);
  const tail = search?.tailBytes ?? 0;
  const spellings: Record<string, (text: string) => string> = {
    "escaped slashes": (text) => text.replaceAll("/", "\\/"),
    "\\u throughout": (text) =>
      [...text].map((c) => `\\u00${c.charCodeAt(0).toString(16)}`).join(""),
    "JSON in JSON": (text) => text.replaceAll("/", "\\\\\\/"),
  };

  for (const [name, spell] of Object.entries(spellings)) {
    for (const backslashes of [2, 4, 6, 8, 12]) {
      test(`${backslashes} backslashes before ${name}, split anywhere`, () => {
        const before = "\\".repeat(backslashes);
        for (let place = 0; place < 40; place += 1) {
          const text = `${"a".repeat(tail + 2)}${before}${spell(value)}${"b".repeat(2 * tail)}`;
          const whole = redactWhole(Buffer.from(text), search, () => undefined);
          const redactor = new StreamRedactor(
            () => search,
            () => undefined,
          );
          // The first push leaves all but the tail, which then begins beside the escape.
          const cut = 2 * tail + place;
          const out = [
            ...redactor.push(Buffer.from(text.slice(0, cut))),
            ...redactor.push(Buffer.from(text.slice(cut))),
            ...redactor.end(),
          ];
          assert.equal(Buffer.concat(out).toString(), whole.toString(), `place ${place}`);
        }
      });
    }
  }
});
