import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { policyOf, secretOf, tokenOf } from "../testing/http-policy.ts";
import {
  noteWithheldTokens,
  SecretNotUsableInHeaderError,
  type SubstitutedCredentials,
  substituteHeaderValue,
} from "./header-substitution.ts";
import { SeenSecrets } from "./seen-secrets.ts";
import { tokenTableFor } from "./token-table.ts";

const policy = policyOf([
  secretOf("KEY", "a", "sk-real-value"),
  secretOf("UMLAUT", "b", "pässword"),
  secretOf("ELSEWHERE", "c", "other-value", ["other.example"]),
  secretOf("MULTILINE", "d", "first\r\nX-Injected: yes"),
]);
const table = tokenTableFor(policy, "https", "api.example.com");
const [key, umlaut, elsewhere, multiline] = ["a", "b", "c", "d"].map(tokenOf);
const base64 = (text: string) => Buffer.from(text, "utf8").toString("base64");

function substitute(value: string) {
  const seen = new SeenSecrets();
  const credentials: SubstitutedCredentials[] = [];
  return { value: substituteHeaderValue(value, table, seen, credentials), seen, credentials };
}

describe("substituteHeaderValue", () => {
  const cases: { name: string; given: string; expected: string; substituted: string[] }[] = [
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
      given: `basic  ${base64(`${umlaut}:`)}`,
      expected: `basic  ${base64("pässword:")}`,
      substituted: ["UMLAUT"],
    },
  ];
  for (const { name, given, expected, substituted } of cases) {
    test(`substitutes ${name}`, () => {
      const result = substitute(given);
      assert.equal(result.value, expected);
      assert.deepEqual(result.seen.substituted, substituted);
    });
  }

  const untouched: { name: string; given: string; withheld: string[] }[] = [
    { name: "a token for another host", given: `Bearer ${elsewhere}`, withheld: ["ELSEWHERE"] },
    {
      name: "a token for another host in Basic credentials",
      given: `Basic ${base64(`user:${elsewhere}`)}`,
      withheld: ["ELSEWHERE"],
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
  ];
  for (const { name, given, withheld } of untouched) {
    test(`leaves ${name}`, () => {
      const result = substitute(given);
      assert.equal(result.value, given);
      assert.deepEqual(result.seen.substituted, []);
      assert.deepEqual(result.seen.withheld, withheld);
      assert.deepEqual(result.credentials, []);
    });
  }

  for (const given of [`Bearer ${multiline}`, `Basic ${base64(`user:${multiline}`)}`]) {
    test(`refuses a value with a line break in ${given.slice(0, 6)}, naming the secret only`, () => {
      assert.throws(
        () => substitute(given),
        (error: unknown) =>
          error instanceof SecretNotUsableInHeaderError &&
          error.message.includes("MULTILINE") &&
          !error.message.includes("Injected"),
      );
    });
  }

  test("remembers the credentials that changed", () => {
    const sealed = base64(`user:${key}`);
    assert.deepEqual(substitute(`Basic ${sealed}`).credentials, [
      { sealed, sent: base64("user:sk-real-value"), secretNames: ["KEY"] },
    ]);
  });
});

test("noteWithheldTokens records known tokens, usable or not, and no others", () => {
  const seen = new SeenSecrets();
  noteWithheldTokens(`/x?a=${key}&b=${elsewhere}&c=${tokenOf("f")}`, table, seen);
  assert.deepEqual(seen.withheld, ["KEY", "ELSEWHERE"]);
});
