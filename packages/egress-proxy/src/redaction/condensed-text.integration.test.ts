import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { nearMisses } from "../testing/near-misses.ts";
import { redactorOf, token } from "../testing/observed-redactor.ts";
import { createSeededRandom, type SeededRandom } from "../testing/seeded-random.ts";
import { randomPair } from "../testing/value-pairs.ts";
import { spell, spellingNames } from "../testing/value-spellings.ts";
import { BlockScanner } from "./block-scanner.ts";
import { CondensedText } from "./condensed-text.ts";
import { needlesOf } from "./needles.ts";
import { inTokenForms, inTokenFormsOfLine } from "./release.ts";
import { createValueSearch, type FoundValue } from "./value-search.ts";

const pieces = [
  "a",
  "Z",
  "0123456789",
  "%41",
  "\\",
  "\n",
  "\r\n",
  "\0",
  " ",
  '"',
  "\x01",
  "é",
  "{,}",
];

function randomText(random: SeededRandom): Buffer {
  const parts = Array.from({ length: random.below(60) }, () =>
    random.pick(pieces).repeat(1 + random.below(12)),
  );
  return Buffer.from(parts.join(""), "utf8");
}

/** Where stretches of so many bytes begin, by looking at each byte. */
function stretchesOf(text: Buffer, inForms: Uint8Array, bytesMin: number) {
  const stretches: { from: number; to: number }[] = [];
  let from = 0;
  for (let at = 0; at <= text.length; at += 1) {
    if (at < text.length && inForms[text[at] ?? 0] === 1) continue;
    if (at - from >= bytesMin) stretches.push({ from, to: at });
    from = at + 1;
  }
  return stretches;
}

describe("CondensedText", () => {
  test("keeps every long stretch, in order, and nothing else", () => {
    const random = createSeededRandom(301);
    const condensed = new CondensedText();
    for (let round = 0; round < 600; round += 1) {
      const text = randomText(random);
      const inForms = random.pick([inTokenForms, inTokenFormsOfLine]);
      const bytesMin = random.pick([15, 16, 20, 43, 64]);
      const stretches = stretchesOf(text, inForms, bytesMin);
      const bytes = Buffer.from(condensed.read(text, inForms, bytesMin));
      let at = 0;
      for (const { from, to } of stretches) {
        assert.deepEqual(bytes.subarray(at, at + to - from), text.subarray(from, to));
        for (let step = 0; step < to - from; step += 1) {
          assert.equal(condensed.placeOf(at + step), from + step);
        }
        at += to - from + 1;
      }
      const isWhole = stretches.length === 1 && stretches[0]?.to === text.length;
      assert.equal(bytes.length, isWhole && stretches[0]?.from === 0 ? at - 1 : at);
    }
  });

  test("no form of a value of class token has a byte that is left out", () => {
    const random = createSeededRandom(302);
    for (let round = 0; round < 100; round += 1) {
      for (const { bytes } of needlesOf(randomPair(random, "token").value)) {
        for (const byte of bytes) assert.equal(inTokenForms[byte], 1);
      }
    }
  });
});

/** A value that stands beside escapes is found in several views: how often depends on what else is searched for. */
function merged(found: readonly FoundValue[] = []): [number, number][] {
  const ranges: [number, number][] = [];
  for (const { start, end } of found) {
    const last = ranges.at(-1);
    if (last !== undefined && start < last[1]) last[1] = Math.max(last[1], end);
    else ranges.push([start, end]);
  }
  return ranges;
}

describe("ValueSearch finds the same in condensed text as in all of it", () => {
  for (const method of ["find", "findInHead"] as const) {
    test(`${method}: every spelling, between near misses and long stretches`, () => {
      const random = createSeededRandom(303);
      let found = 0;
      for (let round = 0; round < 400; round += 1) {
        const pair = randomPair(random, "token");
        const secret = { name: "KEY", token, value: pair.value };
        // A value of class text beside it: nothing is left out then.
        const other = { name: "OTHER", token, value: randomPair(random, "text").value };
        const condensing = createValueSearch(new BlockScanner(), [secret]);
        const complete = createValueSearch(new BlockScanner(), [secret, other]);
        const text = Buffer.concat([
          nearMisses(random, pair, 3),
          randomText(random),
          spell(random.pick(spellingNames), Buffer.from(pair.value)),
          randomText(random),
        ]);
        const expected = merged(complete?.[method](text).filter(({ name }) => name === "KEY"));
        const actual = merged(condensing?.[method](text));
        assert.deepEqual(actual, expected, JSON.stringify(text.toString("latin1")));
        found += expected.length;
      }
      assert.ok(found > 300, `only ${found} values were found`);
    });
  }

  test("lookups depend on the text, whatever matches the value", () => {
    const random = createSeededRandom(304);
    for (let round = 0; round < 200; round += 1) {
      const { value, other } = randomPair(random, "token");
      const text = Buffer.concat([
        randomText(random),
        Buffer.from(
          ` ${value.slice(0, -1)}! ${(value.startsWith("x") ? "y" : "x").repeat(value.length)}${value.slice(1)} `,
        ),
      ]);
      const works = [value, other].map((searched) => {
        const redactor = redactorOf(searched);
        redactor.push(text);
        redactor.end();
        return { ...redactor.work };
      });
      assert.deepEqual(works[0], works[1]);
    }
  });
});
