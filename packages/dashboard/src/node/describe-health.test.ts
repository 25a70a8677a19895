import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Health } from "@opencomputer/protocol/api";
import { describeHealth } from "./describe-health.ts";

const health: Health = {
  status: "ok",
  ready: true,
  limitsEnforced: true,
  quarantinedCount: 0,
  processes: [],
};

describe("describeHealth", () => {
  test("a healthy node has nothing to do", () => {
    assert.deepEqual(describeHealth(health), ["Sandboxes can be created."]);
    assert.equal(
      describeHealth({ ...health, limitsEnforced: null, quarantinedCount: null }).length,
      1,
    );
  });

  test("what is amiss has a sentence each", () => {
    const [starting, unlimited, quarantined] = describeHealth({
      ...{ ...health, ready: false, limitsEnforced: false, quarantinedCount: 2 },
    });
    assert.match(starting ?? "", /cannot be created at the moment/);
    assert.match(unlimited ?? "", /No control groups limit/);
    assert.match(quarantined ?? "", /^2 records .* cannot be read/);
  });
});
