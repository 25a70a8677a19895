import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as api from "@opencomputer/protocol/api";
import * as wire from "@opencomputer/protocol/wire";
import { z } from "zod";
import { describeExpectation } from "./describe-expectation.ts";

function expectation(schema: z.ZodType, input: unknown): string {
  const { error } = schema.safeParse(input);
  const [issue] = error?.issues ?? [];
  assert.ok(issue !== undefined, `${JSON.stringify(input)} is refused`);
  return describeExpectation(schema, issue);
}

describe("describeExpectation", () => {
  const size = z.union([z.literal(0), z.int().min(256).max(16384)]).nullish();
  const cases: [z.ZodType, unknown, string][] = [
    [z.int().min(1).max(64), 65, "must be a whole number from 1 to 64"],
    [z.int().min(1).max(64), 0, "must be a whole number from 1 to 64"],
    [z.int().min(1).max(64), 1.5, "must be a whole number from 1 to 64"],
    [z.int().min(1).max(64), "8", "must be a whole number from 1 to 64"],
    [z.int().min(1).max(64), 1e300, "must be a whole number from 1 to 64"],
    [z.int().min(1), 0, "must be a whole number of at least 1"],
    [z.int(), 1.5, "must be a whole number"],
    [z.number().max(2), 3, "must be a number of at most 2"],
    [z.int().min(0, "must be positive").max(9), -1, "must be positive: a whole number from 0 to 9"],
    [
      z.object({ a: size }),
      { a: 100 },
      "must be a whole number from 256 to 16384, or 0 for the default",
    ],
    [
      z.object({ a: size }),
      { a: "1" },
      "must be a whole number from 256 to 16384, or 0 for the default",
    ],
    [
      z.record(z.string(), z.array(size)),
      { k: [0, 1] },
      "must be a whole number from 256 to 16384, or 0 for the default",
    ],
    [z.string().max(2), "abc", "must have at most 2 characters"],
    [z.string().min(1), "", "must have at least 1 character"],
    [z.array(z.string()).max(1), ["a", "b"], "must have at most 1 entry"],
    [z.array(z.string()), {}, "must be an array"],
    [z.object({}), [], "must be an object"],
    [z.boolean(), 1, "must be true or false"],
    [z.enum(["full", "disk_only"]), "x", 'must be "full" or "disk_only"'],
    [z.union([z.string(), z.boolean()]), 1, "must be a string, or must be true or false"],
    [z.string().regex(/a/, "must have an a"), "b", "must have an a"],
  ];
  for (const [schema, input, expected] of cases) {
    test(`${JSON.stringify(input)}: ${expected}`, () => {
      assert.equal(expectation(schema, input), expected);
    });
  }

  test("every number of every request is described with its bounds, never in a schema's words", () => {
    let numbers = 0;
    for (const [name, schema] of Object.entries({ ...api, ...wire })) {
      if (
        !/^(?!agent|configure).*(Request|Body)Schema$/.test(name) ||
        !(schema instanceof z.ZodObject)
      )
        continue;
      for (const field of Object.keys(schema.shape)) {
        for (const value of [-1, 0.5, 1e300, true]) {
          const issue = schema
            .safeParse({ [field]: value })
            .error?.issues.find(({ path }) => path[0] === field);
          if (issue === undefined) continue;
          const text = describeExpectation(schema, issue);
          assert.doesNotMatch(
            text,
            /expected|received|Too (big|small)|Invalid input|[<>]=/,
            `${name}.${field}: ${text}`,
          );
          if (/number/.test(text)) {
            numbers += 1;
            assert.match(text, /a (whole )?number from \d+ to \d+/, `${name}.${field}`);
          }
        }
      }
    }
    assert.ok(numbers > 20, `${numbers} refusals of numbers`);
  });
});
