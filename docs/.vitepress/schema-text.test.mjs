// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { schemaFields, schemaText } from "./schema-text.mjs";

test("schemaText names types, bounds and variants", () => {
  /** @type {[import("./schema-text.mjs").Schema, string][]} */
  const cases = [
    [{ type: "string" }, "string"],
    [{ type: "string", maxLength: 128 }, "string, at most 128 characters"],
    [{ type: "integer", minimum: 1, maximum: 8 }, "integer, 1–8"],
    [{ type: "integer", minimum: Number.MIN_SAFE_INTEGER }, "integer"],
    [{ type: "string", format: "date-time" }, "time, ISO 8601"],
    [{ enum: ["a", 0] }, '`"a"`, `0`'],
    [{ anyOf: [{ type: "string" }, { type: "null" }] }, "string or null"],
    [{ type: "array", items: { type: "string" }, maxItems: 3 }, "array of string, at most 3"],
    [{ type: "object", additionalProperties: { type: "string" } }, "object of string"],
    [{}, "any value"],
  ];
  for (const [schema, text] of cases) assert.equal(schemaText(schema), text);
});

test("schemaFields lists nested fields with the names of those above", () => {
  const inner = { type: "object", properties: { b: { type: "string" } }, required: ["b"] };
  const schema = {
    type: "array",
    items: {
      type: "object",
      properties: { a: { anyOf: [inner, { type: "null" }] }, c: { type: "boolean" } },
      required: ["c"],
    },
  };
  assert.deepEqual(schemaFields(schema), [
    { name: "a", isRequired: false, text: "object or null" },
    { name: "a.b", isRequired: true, text: "string" },
    { name: "c", isRequired: true, text: "boolean" },
  ]);
});
