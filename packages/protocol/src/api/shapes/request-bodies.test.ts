import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import * as api from "../index.ts";

/** The objects that a schema accepts as a body. */
function objectsIn(schema: unknown): z.ZodObject[] {
  if (schema instanceof z.ZodObject) return [schema];
  if (!(schema instanceof z.ZodUnion)) return [];
  return schema.options.flatMap((option) => objectsIn(option));
}

const bodies = Object.entries(api)
  .filter(([name]) => /Request(Body)?Schema$|BodySchema$/.test(name))
  .filter(([name]) => name !== "errorBodySchema")
  .flatMap(([name, schema]) => objectsIn(schema).map((body) => [name, body] as const));

describe("bodies of requests", () => {
  assert.ok(bodies.length > 20, `only ${bodies.length} found`);

  // Clients whose languages have no absent fields send null.
  for (const [name, body] of bodies) {
    test(`${name}: null is valid for each field that may be absent`, () => {
      for (const [field, schema] of Object.entries(body.shape)) {
        const mayBeAbsent = z.safeParse(schema, undefined).success;
        if (mayBeAbsent) assert.ok(z.safeParse(schema, null).success, field);
      }
    });
  }
});
