import assert from "node:assert/strict";
import { test } from "node:test";
import type { EventRecord } from "@opencomputer/sdk";
import { describeEvent } from "./describe-event.ts";

const envelope = {
  ...{ id: "00000000-0000-4000-8000-000000000000", cursor: "1-1", nodeId: "n" },
  ...{ sandboxId: null, time: "2026-01-01T00:00:00.000Z" },
};

test("describeEvent has each field of the data as text", () => {
  const event: EventRecord = {
    ...envelope,
    type: "sandbox.hibernated",
    data: { reason: "idle", sizeBytes: 7 },
  };
  assert.deepEqual(describeEvent(event), {
    type: "sandbox.hibernated",
    details: { reason: "idle", sizeBytes: "7" },
  });
});

test("an event of a newer service has its own type and data", () => {
  const event: EventRecord = {
    ...envelope,
    type: "unknown",
    data: { type: "moon.full", data: { phases: [1] } },
  };
  assert.deepEqual(describeEvent(event), { type: "moon.full", details: { phases: "[1]" } });
});
