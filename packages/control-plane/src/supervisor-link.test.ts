import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { watchProcessStates } from "./supervisor-link.ts";

test("watchProcessStates: the last well-formed report counts", () => {
  const channel = new EventEmitter() as EventEmitter & Pick<NodeJS.Process, "on">;
  const warnings: string[] = [];
  const read = watchProcessStates(channel, {
    warn: (_details: object, message?: string) => void warnings.push(message ?? ""),
  });
  assert.deepEqual(read(), []);
  const worker = {
    name: "worker",
    state: "restarting",
    since: "2026-01-02T03:04:05.678Z",
    restarts: 2,
    lastExit: "signal SIGKILL",
  };
  channel.emit("message", { type: "service-state", processes: [worker] });
  assert.deepEqual(read(), [worker]);
  channel.emit("message", { type: "service-state", processes: [{ name: "worker" }] });
  assert.deepEqual(read(), [worker]);
  assert.equal(warnings.length, 1);
});
