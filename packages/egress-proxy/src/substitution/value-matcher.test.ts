import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createSeededRandom } from "../testing/seeded-random.ts";
import { ValueMatcher } from "./value-matcher.ts";

function matcherOf(...values: string[]): ValueMatcher {
  return new ValueMatcher(
    values.map((value) => ({
      octets: Buffer.from(value, "latin1"),
      replacement: Buffer.from(`<${value.length}>`),
      secretNames: [value],
    })),
  );
}

function found(matcher: ValueMatcher, text: string, from = 0): [number, string] | undefined {
  const match = matcher.find(Buffer.from(text, "latin1"), from);
  return match && [match.start, match.pattern.octets.toString("latin1")];
}

describe("ValueMatcher", () => {
  test("find gives the earliest match, and of several at one place the longest", () => {
    const matcher = matcherOf("abcdefgh", "abcdefghij", "cdefghijkl");
    assert.deepEqual(found(matcher, "..abcdefgh.."), [2, "abcdefgh"]);
    assert.deepEqual(found(matcher, "..abcdefghij"), [2, "abcdefghij"]);
    assert.deepEqual(found(matcher, "..abcdefghijkl"), [2, "abcdefghij"]);
    assert.deepEqual(found(matcher, "..cdefghijkl"), [2, "cdefghijkl"]);
    assert.deepEqual(found(matcher, "abcdefgh abcdefgh", 1), [9, "abcdefgh"]);
    assert.equal(found(matcher, "abcdefg"), undefined);
    assert.equal(found(matcher, ""), undefined);
  });

  test("pendingStart gives the first place that could become a match", () => {
    const matcher = matcherOf("abcdefgh", "xyzxyzxy1");
    const pending = (text: string, from = 0) => matcher.pendingStart(Buffer.from(text), from);
    assert.equal(pending("..abc"), 2);
    assert.equal(pending("..abcx"), 5);
    assert.equal(pending("..xyzxyz"), 2);
    assert.equal(pending("..xyzxyz", 3), 5);
    assert.equal(pending("..abcdefgh"), 10);
    assert.equal(pending("hello"), 5);
  });

  test("needs two octets of a pattern", () => {
    assert.throws(() => matcherOf("a"), RangeError);
    assert.throws(() => matcherOf(), RangeError);
  });

  test("finds what a search at every place finds", () => {
    const random = createSeededRandom(17);
    for (let round = 0; round < 2000; round += 1) {
      const letters = (length: number) =>
        Array.from({ length }, () => random.pick(["a", "b", "\xff"])).join("");
      const values = [
        ...new Set(Array.from({ length: 1 + random.below(4) }, () => letters(2 + random.below(6)))),
      ];
      const text = letters(random.below(40));
      const from = random.below(5);
      const matcher = matcherOf(...values);
      let expected: [number, string] | undefined;
      for (let at = from; at < text.length && expected === undefined; at += 1) {
        const [longest] = values
          .filter((value) => text.startsWith(value, at))
          .sort((a, b) => b.length - a.length);
        if (longest !== undefined) expected = [at, longest];
      }
      assert.deepEqual(
        found(matcher, text, from),
        expected,
        JSON.stringify({ values, text, from }),
      );
    }
  });
});
