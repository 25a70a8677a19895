import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Field } from "../http/fields.ts";
import { HttpSyntaxError } from "../http/http-syntax-error.ts";
import { policyOf, secretOf, tokenOf } from "../testing/http-policy.ts";
import { SecretNotUsableError } from "./secret-not-usable-error.ts";
import { SeenSecrets } from "./seen-secrets.ts";
import { noteTrailers, substituteField } from "./substitute-header.ts";

const policy = policyOf([
  secretOf("KEY", "a", "sk-real-value"),
  secretOf("UMLAUT", "b", "pässword"),
  secretOf("ELSEWHERE", "c", "other-value", ["other.example"]),
  secretOf("MULTILINE", "d", "first\r\nX-Injected: yes"),
  secretOf("NAMED", "e", "named-value", [], ["header:x-named", "header:user-agent", "header:host"]),
  secretOf("BODY", "0", "body-value", [], ["body", "query", "path"]),
  secretOf("LONG", "1", "v".repeat(60 * 1024)),
]);
const table = policy.tokens.forDestination({ scheme: "https", host: "api.example.com" });
const [key, umlaut, elsewhere, multiline, named, body, long] = ["a", "b", "c", "d", "e", "0", "1"]
  .map(tokenOf)
  .map((token) => `${token}`);
const base64 = (text: string) => Buffer.from(text, "utf8").toString("base64");

function substitute(value: string, name = "X-Key") {
  const seen = new SeenSecrets();
  const field: Field = { name, lowerName: name.toLowerCase(), value };
  return { value: substituteField(field, table, seen), seen };
}

describe("substituteField", () => {
  const cases: {
    name: string;
    given: string;
    field?: string;
    expected: string;
    substituted: string[];
  }[] = [
    { name: "nothing", given: "Bearer abc", expected: "Bearer abc", substituted: [] },
    { name: "a whole value", given: `${key}`, expected: "sk-real-value", substituted: ["KEY"] },
    {
      name: "a part of a value",
      given: `Bearer ${key}, x`,
      expected: "Bearer sk-real-value, x",
      substituted: ["KEY"],
    },
    {
      name: "each occurrence",
      given: `${key}${key};${umlaut}`,
      expected: `sk-real-valuesk-real-value;${Buffer.from("pässword").toString("latin1")}`,
      substituted: ["KEY", "UMLAUT"],
    },
    {
      name: "a token after a false start",
      given: `osb_sealed_osb_sealed_x${key}`,
      expected: "osb_sealed_osb_sealed_xsk-real-value",
      substituted: ["KEY"],
    },
    {
      name: "Basic credentials",
      given: `Basic ${base64(`user:${key}`)}`,
      expected: `Basic ${base64("user:sk-real-value")}`,
      substituted: ["KEY"],
    },
    {
      name: "Basic credentials with the token as the user",
      given: `basic  ${base64(`CORP\\${umlaut}:`)}`,
      expected: `basic  ${base64("CORP\\pässword:")}`,
      substituted: ["UMLAUT"],
    },
    {
      name: "a cookie",
      field: "Cookie",
      given: `a=%2F${key}; b=1`,
      expected: "a=%2Fsk-real-value; b=1",
      substituted: ["KEY"],
    },
    {
      name: "a WebSocket subprotocol",
      field: "Sec-WebSocket-Protocol",
      given: `realtime, api-key.${key}`,
      expected: "realtime, api-key.sk-real-value",
      substituted: ["KEY"],
    },
    {
      name: "the field that a placement names",
      field: "X-Named",
      given: `${named}`,
      expected: "named-value",
      substituted: ["NAMED"],
    },
    {
      name: "the field that a placement names, though it carries no credentials",
      field: "User-Agent",
      given: `${named}`,
      expected: "named-value",
      substituted: ["NAMED"],
    },
  ];
  for (const { name, given, field, expected, substituted } of cases) {
    test(`substitutes ${name}`, () => {
      const result = substitute(given, field);
      assert.equal(result.value, expected);
      assert.deepEqual(result.seen.substituted, substituted);
    });
  }

  const untouched: { name: string; given: string; field?: string; withheld: string[] }[] = [
    { name: "a token for another host", given: `Bearer ${elsewhere}`, withheld: ["ELSEWHERE"] },
    {
      name: "a token for another host in Basic credentials",
      given: `Basic ${base64(`user:${elsewhere}`)}`,
      withheld: ["ELSEWHERE"],
    },
    { name: "a token of no header placement", given: `${body}`, withheld: ["BODY"] },
    { name: "a token of another field", given: `${named}`, withheld: ["NAMED"] },
    {
      name: "a token of another field in Basic credentials",
      given: `Basic ${base64(`user:${named}`)}`,
      withheld: ["NAMED"],
    },
    {
      name: "a token after a byte that is not ASCII",
      given: `k=\x81${key}`,
      withheld: ["KEY"],
    },
    {
      name: "a token after such a byte in Basic credentials",
      given: `Basic ${base64(`user:%E3${key}`)}`,
      withheld: ["KEY"],
    },
    {
      name: "a token in a field that carries no credential",
      field: "User-Agent",
      given: `agent ${key}`,
      withheld: ["KEY"],
    },
    {
      name: "Basic credentials in a field that carries none",
      field: "Referer",
      given: `Basic ${base64(`user:${key}`)}`,
      withheld: ["KEY"],
    },
    {
      name: "a token in a field that routes",
      field: "Host",
      given: `${named}`,
      withheld: ["NAMED"],
    },
    {
      name: "a token that ends an escape",
      field: "Cookie",
      given: `a=%4${key}`,
      withheld: ["KEY"],
    },
    { name: "an unknown token", given: tokenOf("f"), withheld: [] },
    { name: "a token in capitals", given: `${key?.toUpperCase()}`, withheld: [] },
    { name: "a token cut short", given: `${key?.slice(0, -1)}`, withheld: [] },
    {
      name: "other Basic credentials",
      given: `Basic ${base64("user:password-0123")}`,
      withheld: [],
    },
    { name: "a token in base64 that is not Basic", given: base64(`user:${key}`), withheld: [] },
    {
      name: "Basic credentials over 8 KiB",
      given: `Basic ${base64(`${"A".repeat(8192)}:${key}`)}`,
      withheld: [],
    },
  ];
  for (const { name, given, field, withheld } of untouched) {
    test(`leaves ${name}`, () => {
      const result = substitute(given, field);
      assert.equal(result.value, given);
      assert.deepEqual(result.seen.substituted, []);
      assert.deepEqual(
        result.seen.withheld,
        withheld.map((secret) => ({
          name: secret,
          place: `header ${(field ?? "x-key").toLowerCase()}`,
        })),
      );
    });
  }

  for (const given of [`Bearer ${multiline}`, `Basic ${base64(`user:${multiline}`)}`]) {
    test(`refuses a value with a line break in ${given.slice(0, 6)}, naming the secret only`, () => {
      assert.throws(
        () => substitute(given),
        (error: unknown) =>
          error instanceof SecretNotUsableError &&
          error.place === "header" &&
          error.message.includes("MULTILINE") &&
          !error.message.includes("Injected"),
      );
    });
  }

  test("keeps the token of a value that no header may have, where it is withheld", () => {
    assert.equal(substitute(`${multiline}`, "Referer").value, multiline);
  });

  test("refuses a field that values make larger than a head may be", () => {
    assert.throws(() => substitute(`${long}`.repeat(5)), HttpSyntaxError);
    assert.equal(substitute(`${long}`.repeat(4)).value.length, 240 * 1024);
  });
});

test("noteTrailers notes known tokens, usable or not, and no others", () => {
  const seen = new SeenSecrets();
  const trailer = (value: string): Field => ({ name: "X-Key", lowerName: "x-key", value });
  noteTrailers([trailer(`${key}${tokenOf("f")}`), trailer(`${elsewhere}`)], table, seen);
  assert.deepEqual(seen.withheld, [
    { name: "KEY", place: "trailer" },
    { name: "ELSEWHERE", place: "trailer" },
  ]);
  assert.deepEqual(seen.substituted, []);
});
