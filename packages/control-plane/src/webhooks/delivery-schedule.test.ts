import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "@opencomputer/protocol/api";
import { deliverySchedule } from "./delivery-schedule.ts";

test("deliverySchedule() waits longer after each attempt, and ends after more than a day", () => {
  for (const random of [() => 0, () => 0.999]) {
    const waits: number[] = [];
    for (let attempt = 1; ; attempt += 1) {
      const wait = deliverySchedule(attempt, random);
      if (wait === undefined) break;
      waits.push(wait);
    }
    assert.deepEqual(
      waits,
      waits.toSorted((one, other) => one - other),
    );
    assert.ok(waits.reduce((sum, wait) => sum + wait, 0) > limits.webhookFailingSecondsMax);
    assert.ok(waits.length > 8);
  }
});
