import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WireError } from "@opencomputer/protocol/api";
import { initialScaling } from "@opencomputer/protocol/wire";
import { startAutoscaler } from "../../scaling/start-autoscaler.ts";
import { sandboxSpec } from "../../testing/fake-machines.ts";
import { failsWith, sandboxesScenario } from "../../testing/sandboxes-scenario.ts";

const spec = sandboxSpec();
const { sandboxId } = spec;
const memory = (memoryMB: number) => ({ memoryMB, cpuPercent: null });
const bounds = { enabled: true, minMemoryMB: 512, maxMemoryMB: 4096 };

async function scenario() {
  const scene = sandboxesScenario();
  await scene.sandboxes.prepare(spec);
  await scene.sandboxes.start(sandboxId);
  scene.events.length = 0;
  return scene;
}

describe("scale", () => {
  test("grows host, machine and guest before it responds, and records it first", async () => {
    const { sandboxes, events } = await scenario();
    const { size } = await sandboxes.scale(sandboxId, memory(2048), "owner");
    assert.deepEqual(size, {
      memoryMB: 2048,
      scaling: { ...initialScaling(1024), ownerMemoryMB: 2048 },
    });
    assert.deepEqual(events.slice(0, 4), [
      "record started",
      "limit",
      "plug 2048 MB",
      "limit commands to 1920 MiB",
    ]);
  });

  test("what fails leaves the size as it was", async () => {
    const { sandboxes, events, fail } = await scenario();
    fail("plug 2048 MB");
    await assert.rejects(sandboxes.scale(sandboxId, memory(2048), "owner"), /plug 2048/);
    assert.equal(sandboxes.get(sandboxId).size?.memoryMB, 1024);
    assert.ok(events.includes("limit commands to 960 MiB"));
  });

  test("beyond the host, or more CPU time than CPUs, is refused before anything is done", async () => {
    const { sandboxes, events } = await scenario();
    const refused = failsWith("unsupported_option");
    await assert.rejects(sandboxes.scale(sandboxId, memory(16384), "owner"), refused);
    const cpuOnly = { memoryMB: null, cpuPercent: 101 };
    await assert.rejects(sandboxes.scale(sandboxId, cpuOnly, "owner"), refused);
    assert.deepEqual(events, []);
  });

  test("CPU time alone changes no memory and leaves autoscale on", async () => {
    const { sandboxes } = await scenario();
    await sandboxes.setAutoscale(sandboxId, bounds);
    const { size } = await sandboxes.scale(sandboxId, { memoryMB: null, cpuPercent: 50 }, "owner");
    assert.equal(size?.memoryMB, 1024);
    assert.equal(size?.scaling.cpuPercent, 50);
    assert.equal(size?.scaling.autoscale?.enabled, true);
  });

  test("an owner's choice disables autoscale; the guest's and autoscale's own do not", async () => {
    const { sandboxes } = await scenario();
    await sandboxes.setAutoscale(sandboxId, bounds);
    for (const requester of ["guest", "autoscale"] as const) {
      const { size } = await sandboxes.scale(sandboxId, memory(4096), requester);
      assert.equal(size?.scaling.autoscale?.enabled, true);
    }
    const { size } = await sandboxes.scale(sandboxId, memory(2048), "owner");
    assert.deepEqual(size?.scaling.autoscale, { ...bounds, enabled: false });
  });

  test("a guest gets no more than its owner chose, or the bound of autoscale", async () => {
    const { sandboxes } = await scenario();
    const refused = failsWith("unsupported_option");
    await assert.rejects(sandboxes.scale(sandboxId, memory(1025), "guest"), refused);
    await sandboxes.scale(sandboxId, memory(2048), "owner");
    await sandboxes.scale(sandboxId, memory(512), "guest");
    await sandboxes.scale(sandboxId, memory(2048), "guest");
    await assert.rejects(sandboxes.scale(sandboxId, memory(2049), "guest"), refused);
    await sandboxes.setAutoscale(sandboxId, bounds);
    await sandboxes.scale(sandboxId, memory(4096), "guest");
    await assert.rejects(sandboxes.scale(sandboxId, memory(4097), "guest"), refused);
  });

  test("while locked no requester changes the size, and autoscale is off for good", async () => {
    const { sandboxes, events } = await scenario();
    await sandboxes.setAutoscale(sandboxId, bounds);
    await sandboxes.setScalingLock(sandboxId, true);
    events.length = 0;
    const locked = failsWith("scaling_locked");
    for (const requester of ["owner", "guest", "autoscale"] as const) {
      await assert.rejects(sandboxes.scale(sandboxId, memory(512), requester), locked);
    }
    await assert.rejects(sandboxes.setAutoscale(sandboxId, bounds), locked);
    assert.deepEqual(events, []);
    const { size } = await sandboxes.setScalingLock(sandboxId, false);
    assert.equal(size?.scaling.autoscale?.enabled, false);
    await sandboxes.scale(sandboxId, memory(512), "owner");
  });

  test("what more is in use than fits is oom_floor with what would fit", async () => {
    const { sandboxes } = await scenario();
    const [running] = sandboxes.listRunning();
    assert.ok(running);
    running.agent.limit = async () => ({ applied: false, memoryUsedBytes: 600 * 1024 * 1024 });
    await assert.rejects(sandboxes.scale(sandboxId, memory(512), "owner"), (error) => {
      assert.ok(error instanceof WireError);
      assert.equal(error.code, "oom_floor");
      assert.deepEqual(error.details, {
        memoryUsedBytes: 600 * 1024 * 1024,
        requestedMemoryMB: 512,
        smallestMemoryMB: 640,
      });
      return true;
    });
    assert.equal(sandboxes.get(sandboxId).size?.memoryMB, 1024);
  });

  test("size and settings stay through hibernation, and settings change meanwhile", async () => {
    const { sandboxes, events } = await scenario();
    await sandboxes.scale(sandboxId, memory(2048), "owner");
    await sandboxes.hibernate(sandboxId);
    await sandboxes.setScalingLock(sandboxId, true);
    assert.ok(events.includes("rewrite sandbox"));
    const asleep = sandboxes.scale(sandboxId, memory(512), "autoscale");
    await assert.rejects(asleep, failsWith("scaling_locked"));
    await sandboxes.wake(sandboxId, { egressMode: "open", envs: {} });
    const { size } = await sandboxes.start(sandboxId);
    assert.equal(size?.memoryMB, 2048);
    assert.equal(size?.scaling.locked, true);
  });
});

describe("restore", () => {
  const checkpointId = "0b1e5a3c-6d0c-4f5b-8f59-2c5c6f5a9d10";
  const request = { checkpointId, egressMode: "open", envs: {} } as const;

  for (const [kind, checkpointMB, expected] of [
    ["full", 2048, 2048],
    ["full", 256, 512],
    ["disk_only", 2048, 512],
  ] as const) {
    test(`${kind} of ${checkpointMB} MB: a sandbox of 512 MB has ${expected} MB, which its guest may have too`, async () => {
      const { sandboxes, checkpoints } = await scenario();
      await sandboxes.scale(sandboxId, memory(512), "owner");
      checkpoints.put(checkpointId, { kind, memoryMB: checkpointMB });
      const { size } = await sandboxes.restore(sandboxId, request);
      assert.deepEqual([size?.memoryMB, size?.scaling.ownerMemoryMB], [expected, expected]);
    });
  }
});

describe("startAutoscaler", () => {
  test("follows the use of sandboxes that have it enabled", async () => {
    const { sandboxes } = await scenario();
    const [running] = sandboxes.listRunning();
    assert.ok(running);
    let readings = 0;
    running.agent.memoryUsedBytes = async () => {
      readings += 1;
      return 1000 * 1024 * 1024;
    };
    const { listRunning, scale } = sandboxes;
    const log = { warn: () => undefined };
    const autoscaler = startAutoscaler({ listRunning, scale, log, intervalMilliseconds: 1 });
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(readings, 0);
    await sandboxes.setAutoscale(sandboxId, bounds);
    while (sandboxes.get(sandboxId).size?.memoryMB !== 2048) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    autoscaler.close();
    assert.ok(readings >= 2);
  });
});

describe("reboot", () => {
  for (const orderly of [true, false]) {
    test(`orderly ${orderly}: another machine boots from the same disk`, async () => {
      const { sandboxes, events, machines, reached } = await scenario();
      const before = sandboxes.get(sandboxId);
      const ending = sandboxes.reboot(sandboxId, { orderly });
      if (orderly) {
        await reached("run /bin/bash");
        machines.end("machine-0");
      }
      const prepared = await ending;
      assert.equal(prepared.state, "prepared");
      assert.notEqual(prepared.machineId, before.machineId);
      assert.equal(events.includes("run /bin/bash"), orderly);
      assert.ok(events.includes("make again") && events.includes("discard machine-0"));
      const started = await sandboxes.start(sandboxId);
      assert.equal(started.state, "running");
    });
  }
});
