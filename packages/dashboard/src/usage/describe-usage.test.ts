import assert from "node:assert/strict";
import { test } from "node:test";
import type { SandboxUsage } from "@opencomputer/sdk";
import { describeUsage } from "./describe-usage.ts";

const usage: SandboxUsage = {
  ...{ sandboxID: "sb-a", status: "running", interval: "hour", buckets: [] },
  ...{ since: "2026-01-02T03:00:00.000Z", until: "2026-01-03T03:00:00.000Z" },
  current: {
    ...{ readAt: "2026-01-03T03:00:00.000Z", uptimeSeconds: 450, cpuPercent: 12.54 },
    ...{ memoryBytes: 512_000_000, diskBytes: 1500 },
  },
  total: {
    ...{ runningSeconds: 3600, cpuSeconds: 4.26, memoryMBSeconds: 1, memoryPeakBytes: 600_000_000 },
    ...{ diskPeakBytes: 1500, networkReceivedBytes: 2048, networkSentBytes: 0 },
  },
};

test("describeUsage has what is used now only of a sandbox that has it", () => {
  const whole = Object.fromEntries(describeUsage(usage));
  assert.equal(whole["CPU now"], "12.5 % of a CPU");
  assert.equal(whole["Running for"], "7 min 30 s");
  assert.equal(whole["Most memory"], "600 MB");
  const killed = describeUsage({ ...usage, status: "stopped", current: null });
  assert.deepEqual(
    killed.map(([name]) => name),
    ["Time running", "CPU time", "Most memory", "Network received", "Network sent"],
  );
});
