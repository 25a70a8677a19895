import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { OpenComputerError, Sandbox, ScalingLockedError } from "../index.ts";
import { type ContractServer, startContractServer } from "../testing/start-contract-server.ts";

describe("the size of a sandbox", () => {
  let server: ContractServer;
  let sandbox: Sandbox;
  before(async () => {
    server = await startContractServer();
    sandbox = await Sandbox.create({ apiUrl: server.url, apiKey: server.apiKey, cpuCount: 2 });
  });
  after(() => server.close());

  test("scale resolves to the size, and reports that autoscale is off", async () => {
    const bounds = { enabled: true, minMemoryMB: 512, maxMemoryMB: 4096 };
    const sandboxID = sandbox.id;
    assert.deepEqual(await sandbox.setAutoscale(bounds), { sandboxID, ...bounds });
    const scaled = { sandboxID, memoryMB: 2048, cpuPercent: 200 };
    const first = await sandbox.scale({ memoryMB: 2048 });
    assert.deepEqual(first, { ...scaled, autoscaleDisabled: true });
    assert.deepEqual(await sandbox.getAutoscale(), { sandboxID, ...bounds, enabled: false });
    assert.equal((await sandbox.getInfo()).memoryMB, 2048);
  });

  test("setLimits sets memory, CPU time or both", async () => {
    await sandbox.setLimits({ cpuPercent: 50 });
    await sandbox.setLimits({ memoryMB: 1024 });
    const { memoryMB, cpuPercent } = await sandbox.scale({ memoryMB: 1024 });
    assert.deepEqual([memoryMB, cpuPercent], [1024, 50]);
  });

  test("while locked, it is a ScalingLockedError", async () => {
    const sandboxID = sandbox.id;
    assert.deepEqual(await sandbox.setScalingLock(true), { sandboxID, locked: true });
    assert.deepEqual(await sandbox.getScalingLock(), { sandboxID, locked: true });
    await assert.rejects(sandbox.scale({ memoryMB: 2048 }), (error) => {
      assert.ok(error instanceof ScalingLockedError && error instanceof OpenComputerError);
      assert.deepEqual([error.code, error.status], ["scaling_locked", 403]);
      return true;
    });
    await sandbox.setScalingLock(false);
    await sandbox.scale({ memoryMB: 2048 });
  });

  test("oom_floor has its details", async () => {
    await assert.rejects(sandbox.scale({ memoryMB: 256 }), (error) => {
      assert.ok(error instanceof OpenComputerError);
      assert.equal(error.code, "oom_floor");
      assert.equal(error.details?.["smallestMemoryMB"], 300);
      return true;
    });
  });

  test("reboot and powerCycle are sent once", async () => {
    const before = server.requests.length;
    await sandbox.reboot();
    await sandbox.powerCycle();
    assert.deepEqual(server.requests.slice(before), [
      `POST /api/sandboxes/${sandbox.id}/reboot`,
      `POST /api/sandboxes/${sandbox.id}/power-cycle`,
    ]);
  });
});
