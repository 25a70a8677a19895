import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { policyOf, secretOf, tokenOf } from "../testing/http-policy.ts";
import { splitAtRandom } from "../testing/http-split.ts";
import { createSeededRandom } from "../testing/seeded-random.ts";
import type { BodyForm } from "./body-form.ts";
import { SeenSecrets } from "./seen-secrets.ts";
import { BodySubstituter } from "./substitute-body.ts";

const policy = policyOf([
  secretOf("KEY", "a", 'sk-"real"'),
  secretOf("LONG", "b", "x".repeat(5000)),
  secretOf("ELSEWHERE", "c", "other-value", ["other.example"]),
  secretOf("HEADER", "d", "header-value", [], ["header", "query", "path"]),
  secretOf("MEMBER", "e", "member-value", [], ["body:k"]),
]);
const table = policy.tokens.forDestination({ scheme: "https", host: "api.example.com" });

function substitute(parts: readonly (Buffer | string)[], form: BodyForm | undefined = "raw") {
  const seen = new SeenSecrets();
  const substituter = new BodySubstituter(table, form, seen);
  const out: Buffer[] = [];
  for (const part of parts) out.push(...substituter.push(Buffer.from(part)));
  out.push(...substituter.end());
  return { text: Buffer.concat(out).toString("latin1"), seen };
}

describe("BodySubstituter", () => {
  const cases: { name: string; body: string; expected: string; form?: BodyForm }[] = [
    { name: "nothing", body: "hello", expected: "hello" },
    { name: "a token", body: `<${tokenOf("a")}>`, expected: '<sk-"real">' },
    { name: "tokens side by side", body: tokenOf("a").repeat(2), expected: 'sk-"real"'.repeat(2) },
    {
      name: "JSON",
      body: `{"k":"${tokenOf("a")}"}`,
      expected: '{"k":"sk-\\"real\\""}',
      form: "json",
    },
    {
      name: "a form",
      body: `k=${tokenOf("a")}&x=1`,
      expected: "k=sk-%22real%22&x=1",
      form: "form",
    },
    { name: "an unknown token", body: tokenOf("f"), expected: tokenOf("f") },
    { name: "a token of another host", body: tokenOf("c"), expected: tokenOf("c") },
    { name: "a token of no body placement", body: tokenOf("d"), expected: tokenOf("d") },
    {
      name: "a token of one member, in a body that was not collected",
      body: `k=${tokenOf("e")}`,
      expected: `k=${tokenOf("e")}`,
      form: "form",
    },
    {
      name: "a token after a complete escape",
      body: `%41${tokenOf("a")}\\n${tokenOf("a")}`,
      expected: '%41sk-"real"\\nsk-"real"',
    },
    ...["%", "%4", "\\", "\\\\", "\\u00", "&#x4"].map((before) => ({
      name: `a token after ${before}`,
      body: `{"k":"${before}${tokenOf("a")}"}`,
      expected: `{"k":"${before}${tokenOf("a")}"}`,
    })),
    {
      name: "a token after a byte that is no ASCII, in a form",
      body: `k=%81${tokenOf("a")}`,
      expected: `k=%81${tokenOf("a")}`,
      form: "form",
    },
    {
      name: "a token after the beginning of a character, in JSON",
      body: `{"k":"\xef\xbc${tokenOf("a")}"}`,
      expected: `{"k":"\xef\xbc${tokenOf("a")}"}`,
      form: "json",
    },
    {
      name: "a token after a character of several bytes, in JSON",
      body: `{"k":"\xef\xbc\x9a${tokenOf("a")}"}`,
      expected: '{"k":"\xef\xbc\x9ask-\\"real\\""}',
      form: "json",
    },
    {
      name: "the beginning of a token at the end",
      body: "osb_sealed_aa",
      expected: "osb_sealed_aa",
    },
    {
      name: "a token after a false start",
      body: `osb_osb_sealed_${tokenOf("a")}`,
      expected: 'osb_osb_sealed_sk-"real"',
    },
  ];
  for (const { name, body, expected, form } of cases) {
    test(`passes ${name}, at once and byte by byte`, () => {
      const bytes = Buffer.from(body, "latin1");
      assert.equal(substitute([bytes], form).text, expected);
      assert.equal(
        substitute(
          Array.from(bytes, (byte) => Buffer.from([byte])),
          form,
        ).text,
        expected,
      );
    });
  }

  test("names what it substituted and what it withheld", () => {
    const tokens = ["a", "c", "a", "d", "e"].map(tokenOf);
    const { seen } = substitute([tokens.join(" ")]);
    assert.deepEqual(seen.substituted, ["KEY"]);
    assert.deepEqual(
      seen.withheld,
      ["ELSEWHERE", "HEADER", "MEMBER"].map((name) => ({ name, place: "body" })),
    );
  });

  test("substitutes nothing in a body without a form", () => {
    const seen = new SeenSecrets();
    const substituter = new BodySubstituter(table, undefined, seen);
    const body = Buffer.from(`<${tokenOf("a")}>`);
    assert.deepEqual(Buffer.concat([...substituter.push(body), ...substituter.end()]), body);
    assert.deepEqual(seen.withheld, [{ name: "KEY", place: "body" }]);
  });

  test("holds back only what could begin a token", () => {
    const substituter = new BodySubstituter(table, "raw", new SeenSecrets());
    const push = (text: string) =>
      Buffer.concat([...substituter.push(Buffer.from(text))]).toString();
    assert.equal(push("data: hello\n"), "data: hello\n");
    assert.equal(push("data: osb_se"), "data: ");
    assert.equal(push("cret"), "osb_secret");
    assert.equal(push(`osb_sealed_${"a".repeat(31)}`), "");
    assert.equal(push("g"), `osb_sealed_${"a".repeat(31)}g`);
  });

  test("shares one copy of a value, however often it occurs in a body", () => {
    const substituter = new BodySubstituter(table, "raw", new SeenSecrets());
    const parts = [...substituter.push(Buffer.from(tokenOf("b").repeat(100)))];
    assert.equal(parts.length, 100);
    assert.equal(new Set(parts).size, 1);
  });

  test("returns the same as replacing in the whole body, wherever it is split", () => {
    const random = createSeededRandom(13);
    const pieces = [
      tokenOf("a"),
      tokenOf("b"),
      tokenOf("c"),
      tokenOf("f"),
      "osb_sealed_",
      "osb_",
      "o",
      "abc",
      "\xff",
      "%",
      "\\",
      "\\u",
    ];
    for (let round = 0; round < 500; round += 1) {
      const text = Array.from({ length: random.below(12) }, () => {
        const piece = random.pick(pieces);
        return random.below(4) === 0 ? piece.slice(0, random.below(piece.length + 1)) : piece;
      }).join("");
      const expected = text.replaceAll(
        /(?<!\xff|%[0-9a-f]?|\\(?:u[0-9a-f]{0,3}|[0-9a-f]{0,5}))osb_sealed_(?:a{32}|b{32})/g,
        (token) => (token === tokenOf("a") ? 'sk-"real"' : "x".repeat(5000)),
      );
      const parts = splitAtRandom(Buffer.from(text, "latin1"), 1 + random.below(60), random);
      assert.equal(substitute(parts).text, expected);
    }
  });
});
