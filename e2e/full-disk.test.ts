import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type Scenario, type SmallDisk, startScenario } from "@opencomputer/harness";
import { OpenComputerError, type Sandbox } from "@opencomputer/sdk";

const mebibyte = 1024 * 1024;
const writtenBytes = 60 * mebibyte;
const patienceMilliseconds = 120_000;
const pollMilliseconds = 500;

describe("a host whose disk is full", () => {
  let scenario: Scenario;
  let disk: SmallDisk;
  let sandbox: Sandbox;

  before(async () => {
    scenario = await startScenario({
      workerDiskBytes: 2048 * mebibyte,
      environment: { OPENCOMPUTER_WARM_POOL_SIZE: "0" },
    });
    assert.ok(scenario.workerDisk !== undefined);
    disk = scenario.workerDisk;
    sandbox = await scenario.createSandbox();
    await run("echo in memory > /dev/shm/word; echo on disk > /workspace/word; sync");
    await run("nohup sleep 3600 > /dev/null 2>&1 &");
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  async function run(script: string): Promise<string> {
    const { exitCode, stdout, stderr } = await sandbox.exec.run(script);
    assert.equal(exitCode, 0, stderr);
    return stdout;
  }
  const isFull = (error: unknown) =>
    error instanceof OpenComputerError &&
    error.status === 507 &&
    error.code === "host_storage_full";
  /** With everything: files, memory, processes. */
  const assertRunsOn = async () => {
    assert.equal((await sandbox.getInfo()).status, "running");
    assert.equal(
      await run("cat /workspace/word /dev/shm/word; pgrep -c sleep"),
      "on disk\nin memory\n1\n",
    );
  };
  const finishedCheckpoint = async (id: string) => {
    const deadline = Date.now() + patienceMilliseconds;
    while (Date.now() < deadline) {
      const found = (await sandbox.listCheckpoints()).find((one) => one.id === id);
      if (found !== undefined && found.status !== "processing") return found;
      await delay(pollMilliseconds);
    }
    throw new Error(`Checkpoint ${id} was not finished in time`);
  };

  test("hibernate: 507 with the reason, the sandbox keeps running; with space it works", async () => {
    await disk.fill(16 * mebibyte);
    await assert.rejects(sandbox.hibernate(), (error) => {
      assert.ok(isFull(error), String(error));
      assert.match(String(error), /disk is full.*Free space in the data directory/);
      return true;
    });
    await assertRunsOn();
    await disk.free();
    assert.equal((await sandbox.hibernate()).status, "hibernated");
    await assertRunsOnAfterWake();
  });

  async function assertRunsOnAfterWake(): Promise<void> {
    assert.equal((await sandbox.wake()).memoryLost, undefined);
    await assertRunsOn();
  }

  test("checkpoint: it fails with the reason, the sandbox keeps running; with space it works", async () => {
    await disk.fill(16 * mebibyte);
    const { id } = await sandbox.createCheckpoint("full");
    const failed = await finishedCheckpoint(id);
    assert.equal(failed.status, "failed");
    assert.match(JSON.stringify(failed), /disk is full/);
    await assertRunsOn();
    await disk.free();
    await sandbox.deleteCheckpoint(id);
    assert.equal(
      (await finishedCheckpoint((await sandbox.createCheckpoint("full")).id)).status,
      "ready",
    );
    await assertRunsOn();
  });

  test("what a guest writes waits for space: 507 meanwhile, then all of it is written", async () => {
    await disk.fill(8 * mebibyte);
    await run(
      `nohup sh -c 'yes line | head -c ${writtenBytes} > /workspace/large; sync; touch /dev/shm/written' > /dev/null 2>&1 &`,
    );
    const deadline = Date.now() + patienceMilliseconds;
    const standsStill = async () => {
      try {
        await sandbox.exec.run("true");
        return false;
      } catch (error) {
        // A command that was under way when the machine paused may or may not have run.
        const isUndecided = error instanceof OpenComputerError && error.code === "outcome_unknown";
        assert.ok(isFull(error) || isUndecided, String(error));
        return true;
      }
    };
    while (!(await standsStill())) {
      assert.ok(Date.now() < deadline, "the machine is paused");
      await delay(pollMilliseconds);
    }
    await disk.free();
    while (await standsStill()) {
      assert.ok(Date.now() < deadline, "the machine continues");
      await delay(pollMilliseconds);
    }
    const sum = await run(
      "while [ ! -e /dev/shm/written ]; do sleep 0.2; done; sha256sum < /workspace/large",
    );
    const expected = Buffer.alloc(writtenBytes, "line\n");
    assert.equal(sum.slice(0, 64), createHash("sha256").update(expected).digest("hex"));
    await assertRunsOn();
  });
});
