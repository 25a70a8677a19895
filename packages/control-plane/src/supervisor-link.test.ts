import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { watchSupervisor } from "./supervisor-link.ts";

test("watchSupervisor: the last well-formed report of each kind counts", () => {
  const channel = new EventEmitter() as EventEmitter & Pick<NodeJS.Process, "on">;
  const warnings: string[] = [];
  const { readProcessStates, readProcessUsage } = watchSupervisor(channel, {
    warn: (_details: object, message?: string) => void warnings.push(message ?? ""),
  });
  assert.deepEqual([readProcessStates(), readProcessUsage()], [[], []]);
  const worker = {
    name: "worker",
    state: "restarting",
    since: "2026-01-02T03:04:05.678Z",
    restarts: 2,
    lastExit: "signal SIGKILL",
  };
  const host = { name: "host", cpuSeconds: 1.25, residentMemoryBytes: 4096 };
  channel.emit("message", { type: "service-state", processes: [worker] });
  channel.emit("message", { type: "process-usage", processes: [host] });
  for (const type of ["service-state", "process-usage", "other"]) {
    channel.emit("message", { type, processes: [{ name: "worker" }] });
  }
  assert.deepEqual([readProcessStates(), readProcessUsage()], [[worker], [host]]);
  assert.equal(warnings.length, 3);
});
