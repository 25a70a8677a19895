import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { limits } from "@opencomputer/protocol";
import { policyOf, secretOf, tokenOf } from "../testing/http-policy.ts";
import { splitAtRandom } from "../testing/http-split.ts";
import { createSeededRandom } from "../testing/seeded-random.ts";
import { Resealer, resealText } from "./resealer.ts";
import { matcherFor } from "./resealing.ts";
import { SeenSecrets } from "./seen-secrets.ts";
import type { ValueMatcher } from "./value-matcher.ts";

const policy = policyOf([
  secretOf("SHORTER", "a", "abcdefgh"),
  secretOf("LONGER", "b", "abcdefghijkl"),
  secretOf("QUOTED", "c", 'pass"word/1'),
  secretOf("TINY", "d", "1234567"),
  secretOf("LIMITED", "e", "elsewhere-value", ["other.example"]),
]);

function matcher(): ValueMatcher {
  const made = matcherFor(policy, []);
  assert.ok(made !== undefined);
  return made;
}

function reseal(parts: readonly (Buffer | string)[], seen = new SeenSecrets()): string {
  const resealer = new Resealer(matcher(), seen);
  const out: Buffer[] = [];
  for (const part of parts) {
    const octets = typeof part === "string" ? Buffer.from(part, "latin1") : part;
    out.push(...resealer.push(octets));
  }
  out.push(...resealer.end());
  return Buffer.concat(out).toString("latin1");
}

describe("Resealer", () => {
  const cases: { name: string; body: string; expected: string; resealed: string[] }[] = [
    { name: "nothing", body: "hello", expected: "hello", resealed: [] },
    { name: "a value", body: "<abcdefgh>", expected: `<${tokenOf("a")}>`, resealed: ["SHORTER"] },
    {
      name: "the longer of two",
      body: "abcdefghijkl",
      expected: tokenOf("b"),
      resealed: ["LONGER"],
    },
    {
      name: "the shorter of two with a false continuation",
      body: "abcdefghijkx",
      expected: `${tokenOf("a")}ijkx`,
      resealed: ["SHORTER"],
    },
    {
      name: "the shorter of two at the end",
      body: "abcdefghij",
      expected: `${tokenOf("a")}ij`,
      resealed: ["SHORTER"],
    },
    {
      name: "a value as JSON writes it",
      body: '{"p":"pass\\"word/1"}',
      expected: `{"p":"${tokenOf("c")}"}`,
      resealed: ["QUOTED"],
    },
    {
      name: "a value as URLs write it",
      body: "p=pass%22word%2F1",
      expected: `p=${tokenOf("c")}`,
      resealed: ["QUOTED"],
    },
    {
      name: "a value that this host may not receive",
      body: "elsewhere-value",
      expected: tokenOf("e"),
      resealed: ["LIMITED"],
    },
    {
      name: "a value too short to be told from chance",
      body: "1234567",
      expected: "1234567",
      resealed: [],
    },
    {
      name: "the beginning of a value at the end",
      body: "xabcdefg",
      expected: "xabcdefg",
      resealed: [],
    },
  ];
  for (const { name, body, expected, resealed } of cases) {
    test(`passes ${name}, whole and octet by octet`, () => {
      const seen = new SeenSecrets();
      assert.equal(reseal([body], seen), expected);
      assert.deepEqual(seen.resealed, resealed);
      assert.equal(reseal([...body]), expected);
    });
  }

  test("does not hold back what cannot begin a value", () => {
    const resealer = new Resealer(matcher(), new SeenSecrets());
    const push = (text: string) => Buffer.concat([...resealer.push(Buffer.from(text))]).toString();
    assert.equal(push("data: hello\n\n"), "data: hello\n\n");
    assert.equal(push("data: abcd"), "data: ");
    assert.equal(push("xyz\n\n"), "abcdxyz\n\n");
  });

  test("gives what replacing in the whole body gives, wherever it is split", () => {
    const random = createSeededRandom(19);
    const pieces = ["abcdefgh", "abcdefghijkl", 'pass"word/1', "elsewhere-value", "x", "\xff\x00"];
    for (let round = 0; round < 1000; round += 1) {
      const text = Array.from({ length: random.below(10) }, () => {
        const piece = random.pick(pieces);
        return random.below(3) === 0 ? piece.slice(0, random.below(piece.length + 1)) : piece;
      }).join("");
      const expected = text.replace(
        /abcdefghijkl|abcdefgh|pass"word\/1|elsewhere-value/g,
        (value) =>
          ({
            abcdefghijkl: tokenOf("b"),
            abcdefgh: tokenOf("a"),
            'pass"word/1': tokenOf("c"),
            "elsewhere-value": tokenOf("e"),
          })[value] ?? value,
      );
      const octets = Buffer.from(text, "latin1");
      assert.equal(reseal(splitAtRandom(octets, 1 + random.below(20), random)), expected);
      assert.equal(resealText(text, matcher(), new SeenSecrets()), expected);
    }
  });
});

describe("matcherFor", () => {
  test("is undefined when no value is long enough", () => {
    assert.equal(matcherFor(policyOf([]), []), undefined);
    const short = "x".repeat(limits.resealedValueBytesMin - 1);
    assert.equal(matcherFor(policyOf([secretOf("SHORT", "a", short)]), []), undefined);
    const fitting = "x".repeat(limits.resealedValueBytesMin);
    assert.ok(matcherFor(policyOf([secretOf("FITS", "a", fitting)]), []) !== undefined);
  });

  test("looks for the Basic credentials that were sent, whatever the value's length", () => {
    const credentials = { sealed: "c2VhbGVk", sent: "dXNlcjoxMjM=", secretNames: ["SHORT"] };
    const short = policyOf([secretOf("SHORT", "a", "123")]);
    const seen = new SeenSecrets();
    const made = matcherFor(short, [credentials]);
    assert.ok(made !== undefined);
    assert.equal(resealText("Basic dXNlcjoxMjM=", made, seen), "Basic c2VhbGVk");
    assert.deepEqual(seen.resealed, ["SHORT"]);
    assert.equal(matcherFor(short, [credentials]), made);
  });
});
