import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { policyOf, secretOf, tokenOf } from "../testing/http-policy.ts";
import { createSeededRandom } from "../testing/seeded-random.ts";
import type { BodyForm } from "./body-form.ts";
import { BodyMembers } from "./body-members.ts";
import { SeenSecrets } from "./seen-secrets.ts";
import { BodySubstituter } from "./substitute-body.ts";

const { tokens } = policyOf([
  secretOf("MEMBER", "a", 's"1&', [], ["body:client_secret", "body:/auth/0/a~1b", "header"]),
  secretOf("OTHER", "b", "other", [], ["body:other"]),
  secretOf("BODY", "c", "whole", [], ["body"]),
]);
const table = tokens.forDestination({ scheme: "https", host: "api.example.com" });
const [member, other, whole] = ["a", "b", "c"].map((digit) => tokenOf(digit));

function substitute(body: Buffer | string, form: BodyForm) {
  const bytes = Buffer.from(body);
  const seen = new SeenSecrets();
  const members = BodyMembers.find(bytes, form, table.bodyFields);
  const substituter = new BodySubstituter(table, form, seen, members);
  const out = Buffer.concat([...substituter.push(bytes), ...substituter.end()]);
  return { out, text: out.toString("latin1"), seen };
}

describe("body members", () => {
  const cases: { name: string; form: BodyForm; body: string; expected: string }[] = [
    {
      name: "a form field",
      form: "form",
      body: `grant_type=x&client_secret=${member}&scope=a b`,
      expected: "grant_type=x&client_secret=s%221%26&scope=a b",
    },
    {
      name: "a form field whose name is escaped",
      form: "form",
      body: `client%5Fsecret=a${member}b`,
      expected: "client%5Fsecret=as%221%26b",
    },
    {
      name: "a form that repeats other fields",
      form: "form",
      body: `r=1&r=2&client_secret=${member}&&=`,
      expected: "r=1&r=2&client_secret=s%221%26&&=",
    },
    {
      name: "a JSON member by its name, and nothing else of the text",
      form: "json",
      body: `{ "x":1.0,\t"client_secret" : "a${member}b", "n":[ ] }`,
      expected: '{ "x":1.0,\t"client_secret" : "as\\"1&b", "n":[ ] }',
    },
    {
      name: "a JSON member by its pointer",
      form: "json",
      body: `{"auth":[{"a/b":"${member}"}]}`,
      expected: '{"auth":[{"a/b":"s\\"1&"}]}',
    },
    {
      name: "tokens of other placements beside it",
      form: "json",
      body: `{"client_secret":"${member}${other}${whole}","other":"${other}${member}","z":"${whole}"}`,
      expected: `{"client_secret":"s\\"1&${other}whole","other":"other${member}","z":"whole"}`,
    },
  ];
  for (const { name, form, body, expected } of cases) {
    test(`edits ${name}`, () => assert.equal(substitute(body, form).text, expected));
  }

  const withheld: { name: string; form: BodyForm; body: Buffer | string }[] = [
    { name: "another form field", form: "form", body: `note=${member}` },
    { name: "a field's name", form: "form", body: `${member}=client_secret` },
    {
      name: "a repeated field",
      form: "form",
      body: `client_secret=${member}&client_secret=`,
    },
    {
      name: "a repeated field, escaped once",
      form: "form",
      body: `client_secret=${member}&client%5fsecret=`,
    },
    { name: "a form with a semicolon", form: "form", body: `client_secret=${member};note=1` },
    { name: "a form with a broken escape", form: "form", body: `a=%zz&client_secret=${member}` },
    { name: "a form with a line break", form: "form", body: `client_secret=${member}\n` },
    {
      name: "a form with a byte order mark",
      form: "form",
      body: `\ufeffa=1&client_secret=${member}`,
    },
    {
      name: "a form with a name that is not UTF-8",
      form: "form",
      body: `%ff=1&client_secret=${member}`,
    },
    {
      name: "a form that is not UTF-8",
      form: "form",
      body: Buffer.from(`a=\xff&client_secret=${member}`, "latin1"),
    },
    { name: "another JSON member", form: "json", body: `{"note":"${member}"}` },
    {
      name: "a member of the same name further in",
      form: "json",
      body: `{"x":{"client_secret":"${member}"}}`,
    },
    { name: "a JSON key", form: "json", body: `{"${member}":"client_secret"}` },
    {
      name: "a JSON key twice",
      form: "json",
      body: `{"client_secret":"${member}","x":{"a":1,"a":2}}`,
    },
    { name: "no JSON", form: "json", body: `{"client_secret":"${member}"` },
    {
      name: "JSON that is not UTF-8",
      form: "json",
      body: Buffer.from(`{"client_secret":"${member}","x":"\xff"}`, "latin1"),
    },
    { name: "an open escape in JSON", form: "json", body: `{"client_secret":"\\\\${member}"}` },
    { name: "a body of another type", form: "raw", body: `client_secret=${member}` },
    {
      name: "a form of more fields than people fill in",
      form: "form",
      body: `client_secret=${member}${"&a".repeat(10_001)}`,
    },
    {
      name: "JSON nested too deep",
      form: "json",
      body: `{"client_secret":"${member}","x":${"[".repeat(64)}${"]".repeat(64)}}`,
    },
  ];
  for (const { name, form, body } of withheld) {
    test(`withholds from ${name}`, () => {
      const { out, seen } = substitute(body, form);
      assert.deepEqual(out, Buffer.from(body));
      assert.deepEqual(seen.withheld, [{ name: "MEMBER", place: "body" }]);
      assert.deepEqual(seen.substituted, []);
    });
  }

  test("returns a form whose other fields are read as before, whatever the guest writes", () => {
    const random = createSeededRandom(5);
    const pieces = ["a", "client_secret=", "=", "&", "&", "%41", "%", "+", ";", `${member}`, "é"];
    // After a byte that is not ASCII it stays a token.
    const substitutedMember = new RegExp(`(?<!é)${member}`, "g");
    let edited = 0;
    for (let round = 0; round < 20_000; round += 1) {
      const body = Array.from({ length: random.below(10) }, () => random.pick(pieces)).join("");
      const { out } = substitute(body, "form");
      const before = [...new URLSearchParams(body)];
      const after = [...new URLSearchParams(out.toString("utf8"))];
      const expected = before.map(([name, value]) => [
        name,
        name === "client_secret" && out.toString("utf8") !== body
          ? value.replaceAll(substitutedMember, 's"1&')
          : value,
      ]);
      assert.deepEqual(after, expected, body);
      if (out.toString("utf8") !== body) edited += 1;
    }
    assert.ok(edited > 100);
  });
});
