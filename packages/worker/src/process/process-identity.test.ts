import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { describe, test } from "node:test";
import { identifyProcess, isAlive, killProcess, parseProcessStat } from "./process-identity.ts";

describe("parseProcessStat", () => {
  const rest = "1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 1";

  test("reads the start behind a name with spaces and parentheses", () => {
    assert.deepEqual(parseProcessStat(42, `42 (a) R (b) S ${rest}`), {
      pid: 42,
      startTicks: "987654",
    });
  });

  test("treats a zombie as ended", () => {
    assert.equal(parseProcessStat(42, `42 (qemu) Z ${rest}`), undefined);
  });

  test("gives nothing for a text that is cut off", () => {
    assert.equal(parseProcessStat(42, "42 (qemu) S 1 1"), undefined);
    assert.equal(parseProcessStat(42, ""), undefined);
  });
});

describe("killProcess", () => {
  test("ends the very process, and is no error afterwards", async () => {
    const child = spawn("sleep", ["1000"]);
    const identity = await identifyProcess(child.pid ?? 0);
    assert.ok(identity !== undefined);
    assert.equal(await isAlive(identity), true);
    await killProcess(identity);
    assert.equal(await isAlive(identity), false);
    await killProcess(identity);
  });

  test("warmMachines a process that only has the same number", async () => {
    const child = spawn("sleep", ["1000"]);
    const identity = await identifyProcess(child.pid ?? 0);
    assert.ok(identity !== undefined);
    await killProcess({ pid: identity.pid, startTicks: "1" });
    assert.equal(await isAlive(identity), true);
    await killProcess(identity);
  });
});
