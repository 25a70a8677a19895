import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { z } from "zod";
import { limits } from "../limits.ts";
import {
  eventContentSchema,
  eventCursorSchema,
  eventRecordSchema,
  eventText,
  eventTypeSchema,
  receivedEventSchema,
} from "./events.ts";

const envelope = {
  id: "4c5d0f7e-6f0a-4b6e-9a55-0c1de2a3b4c5",
  cursor: "12-3",
  nodeId: "0123abcd",
  sandboxId: null,
  time: "2026-11-30T12:00:00.000Z",
};

describe("events", () => {
  test("eventTypeSchema has every type once, and no other", () => {
    assert.equal(new Set(eventTypeSchema.options).size, eventContentSchema.options.length);
    assert.ok(eventTypeSchema.options.includes("sandbox.created"));
    assert.ok(!eventTypeSchema.safeParse("sandbox.imagined").success);
  });

  test("eventText() makes any text one that an event takes", () => {
    const max = limits.eventTextCharactersMax;
    assert.equal(eventText("as it is"), "as it is");
    assert.equal(eventText("a\0b\ud800c"), "a\ufffdb\ufffdc");
    for (const text of ["x".repeat(max + 1), "\u{1f600}".repeat(max), "\ud800".repeat(max)]) {
      const content = { type: "sandbox.memory_lost", data: { reason: eventText(text) } };
      assert.ok(eventContentSchema.safeParse(content).success);
    }
    assert.ok(eventText("x".repeat(max + 1)).endsWith("…"));
  });

  test("eventContentSchema takes the data of a type with that type alone", () => {
    const data = { reason: "requested" };
    assert.ok(eventContentSchema.safeParse({ type: "sandbox.killed", data }).success);
    assert.ok(!eventContentSchema.safeParse({ type: "sandbox.hibernated", data }).success);
  });

  test("eventCursorSchema refuses what a database cannot hold", () => {
    for (const cursor of ["0-0", "12-3", "9223372036854775807-9223372036854775807"]) {
      assert.ok(eventCursorSchema.safeParse(cursor).success, cursor);
    }
    for (const cursor of ["", "-", "1", "1-", "-1-2", "1-2-3", "x-1", "9223372036854775808-1"]) {
      assert.ok(!eventCursorSchema.safeParse(cursor).success, cursor);
    }
  });

  test("receivedEventSchema takes a type that it does not know, within an unknown one", () => {
    const known = { ...envelope, type: "sandbox.ready", data: {} };
    assert.deepEqual(receivedEventSchema.parse(known), known);
    const data = { colour: "red" };
    assert.deepEqual(receivedEventSchema.parse({ ...envelope, type: "sandbox.painted", data }), {
      ...envelope,
      type: "unknown",
      data: { type: "sandbox.painted", data },
    });
    assert.ok(!receivedEventSchema.safeParse({ ...known, cursor: "x" }).success);
  });
});

test("the JSON Schema of an event closes no part of it against the fields of the other", () => {
  const schema = z.toJSONSchema(eventRecordSchema, { io: "output" });
  assert.equal(schema.additionalProperties, undefined);
  type Part = z.core.JSONSchema.JSONSchema;
  const partsOf = ({ allOf = [], anyOf = [], oneOf = [] }: Part): Part[] =>
    [...allOf, ...anyOf, ...oneOf].flatMap((part) => [part, ...partsOf(part)]);
  const parts = partsOf(schema);
  assert.ok(parts.length > 0);
  for (const part of parts) assert.notEqual(part.additionalProperties, false);
  const event = { ...envelope, type: "sandbox.ready", data: {} };
  assert.deepEqual(eventRecordSchema.parse(event), event);
  assert.ok(!eventRecordSchema.safeParse({ ...event, data: undefined }).success);
});
