import assert from "node:assert/strict";
import { test } from "node:test";
import { WireError } from "@opencomputer/protocol/api";
import { createSlots } from "./create-slots.ts";
import { parseNetworkBlock } from "./network-block.ts";

test("createSlots: when every slot is in use, the error states how many, and what frees one", async () => {
  const block = parseNetworkBlock("198.18.4.0/28");
  const host = {
    openSlot: async () => null,
    setSlotMode: async () => null,
    closeSlots: async () => null,
    listSlots: async () => [],
  };
  const slots = createSlots({ installationId: "00000000", block, host });
  const opened = [await slots.open(), await slots.open(), await slots.open()];
  assert.equal(block.slotCount, 3);
  await assert.rejects(slots.open(), (error) => {
    assert.ok(error instanceof WireError);
    assert.equal(error.code, "capacity_exhausted");
    assert.match(error.message, /^Network slot limit reached: 3 of 3 slots/);
    assert.equal(error.remediation, "oc sandbox hibernate <id>, oc kill <id>");
    return true;
  });

  const [first] = opened;
  assert.ok(first !== undefined);
  await slots.close(first);
  assert.equal((await slots.open()).index, first.index);
});
