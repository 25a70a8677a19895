import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { cpuUseRule } from "@opencomputer/protocol/wire";
import { createCpuWatch } from "./create-cpu-watch.ts";

const statOf = (user: number, system: number) =>
  `7 (qemu (x) y) S 1 7 7 0 -1 4194560 1 2 3 4 ${user} ${system} 5 6 20 0 9 0 4242 1`;

describe("createCpuWatch", () => {
  test("follows each sandbox and forgets one that does not run", async () => {
    let running = ["busy", "idle"];
    const ticks = new Map([
      [2, 0],
      [3, 0],
    ]);
    let now = 0;
    const watch = createCpuWatch({
      list: () =>
        running.map((sandboxId) => ({
          sandboxId,
          process: { pid: sandboxId === "busy" ? 2 : 3, startTicks: "1" },
        })),
      readStat: async (pid) => statOf(ticks.get(pid) ?? 0, 0),
      now: () => now,
      onFailure: (error) => assert.fail(String(error)),
    });
    assert.equal(watch.lastUsedAt("busy"), undefined);
    await watch.sample();
    now += cpuUseRule.intervalSeconds * 1000;
    ticks.set(2, cpuUseRule.intervalSeconds * 100);
    await watch.sample();
    assert.deepEqual(watch.lastUsedAt("busy"), new Date(now));
    assert.deepEqual(watch.lastUsedAt("idle"), new Date(0));
    running = ["idle"];
    await watch.sample();
    assert.equal(watch.lastUsedAt("busy"), undefined);
    watch.close();
  });

  test("a process that has just ended is left out", async () => {
    const watch = createCpuWatch({
      list: () => [{ sandboxId: "gone", process: { pid: 2, startTicks: "1" } }],
      readStat: async () => undefined,
      onFailure: (error) => assert.fail(String(error)),
    });
    await watch.sample();
    assert.equal(watch.lastUsedAt("gone"), undefined);
    watch.close();
  });
});
