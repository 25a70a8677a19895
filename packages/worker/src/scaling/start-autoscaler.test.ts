import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { PrepareSandboxRequest } from "@opencomputer/protocol/wire";
import { type AutoscaledSandbox, startAutoscaler } from "./start-autoscaler.ts";

/** A sandbox whose guest reports that it uses all of its memory. */
function fullSandbox(sandboxId: string): AutoscaledSandbox {
  const spec: PrepareSandboxRequest = {
    ...{ sandboxId, cpuCount: 1, memoryMB: 256, diskMB: null, checkpointId: null, envs: {} },
    ...{ egressMode: "open", egressPorts: [] },
    scaling: {
      ...{ cpuPercent: null, ownerMemoryMB: 256, locked: false },
      autoscale: { enabled: true, minMemoryMB: 256, maxMemoryMB: 1024 },
    },
  };
  return { spec, agent: { memoryUsedBytes: async () => 256 * 1024 * 1024 } };
}

test("startAutoscaler resizes a sandbox while the guests of many others take no memory", async () => {
  const others = Array.from({ length: 40 }, (_, index) => fullSandbox(`sb-slow-${index}`));
  const resized = new Map<string, number | null>();
  const autoscaler = startAutoscaler({
    listRunning: () => [...others, ...(resized.size === 0 ? [] : [fullSandbox("sb-own")])],
    scale: async (sandboxId, { memoryMB }) => {
      resized.set(sandboxId, memoryMB);
      if (sandboxId !== "sb-own") await new Promise(() => undefined);
    },
    log: { warn: () => undefined },
    intervalMilliseconds: 1,
  });
  const deadline = performance.now() + 5_000;
  while (!resized.has("sb-own") && performance.now() < deadline) await delay(5);
  autoscaler.close();
  assert.equal(resized.get("sb-own"), 512);
});
