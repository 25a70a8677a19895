import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { formatTraceParent, parseTraceParent } from "./trace-context.ts";

const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
const spanId = "00f067aa0ba902b7";
const valid = `00-${traceId}-${spanId}-01`;

describe("parseTraceParent", () => {
  for (const [text, isSampled] of [
    [valid, true],
    [`00-${traceId}-${spanId}-00`, false],
    [`00-${traceId}-${spanId}-03`, true],
    [`cc-${traceId}-${spanId}-01-what-later-versions-have`, true],
  ] as const) {
    test(`reads ${text}`, () => {
      assert.deepEqual(parseTraceParent(text), { traceId, spanId, isSampled });
    });
  }

  for (const [what, text] of Object.entries({
    "none at all": undefined,
    "two headers": `${valid}, ${valid}`,
    "the version ff": `ff-${traceId}-${spanId}-01`,
    "a further field of version 00": `${valid}-x`,
    "upper case": valid.toUpperCase(),
    "a trace id of zeros": `00-${"0".repeat(32)}-${spanId}-01`,
    "a span id of zeros": `00-${traceId}-${"0".repeat(16)}-01`,
    "a line break": `${valid}\n`,
    "an excessive length": `cc-${traceId}-${spanId}-01-${"x".repeat(256)}`,
  })) {
    test(`ignores ${what}`, () => assert.equal(parseTraceParent(text), undefined));
  }

  test("takes seeded changes of a valid one only in the form that it writes", () => {
    const characters = "0123456789abcdefABCDEFg-, \n\0é";
    for (let seed = 1; seed <= 2000; seed += 1) {
      const below = seeded(seed);
      const changed = [...valid];
      for (let change = below(4); change >= 0; change -= 1) {
        const character = characters[below(characters.length)] ?? "";
        changed.splice(below(changed.length + 1), below(2), character);
      }
      const parsed = parseTraceParent(changed.join(""));
      if (parsed === undefined) continue;
      assert.match(formatTraceParent(parsed), /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/, `${seed}`);
      assert.deepEqual(parseTraceParent(formatTraceParent(parsed)), parsed, `${seed}`);
    }
  });
});

/** Marsaglia's xorshift32: integers from 0 up to `end`, the same for the same seed. */
function seeded(seed: number): (end: number) => number {
  let state = seed;
  return (end) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % end;
  };
}
