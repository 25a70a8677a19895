import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { sandboxSpec as spec } from "../../testing/fake-machines.ts";
import {
  failsWith,
  hibernatedScenario,
  runningScenario,
  sandboxesScenario,
} from "../../testing/sandboxes-scenario.ts";

const { sandboxId } = spec();
const policy = { egressMode: "open", envs: { B: "2" } } as const;
const checkpoint = { sandboxId, kind: "full" } as const;
const checkpointId = "0b1e5a3c-6d0c-4f5b-8f59-2c5c6f5a9d10";

describe("makeCheckpoint", () => {
  test("a running sandbox keeps running; again it returns the same", async () => {
    const { sandboxes, events } = await runningScenario();
    const made = await sandboxes.makeCheckpoint(checkpointId, checkpoint);
    assert.deepEqual(await sandboxes.makeCheckpoint(checkpointId, checkpoint), made);
    assert.equal(events.filter((event) => event === "save checkpoint").length, 1);
    assert.equal(sandboxes.get(sandboxId).state, "running");
  });

  test("one that fails leaves none, and the sandbox running", async () => {
    const { sandboxes, checkpoints, fail } = await runningScenario();
    fail("save checkpoint");
    await assert.rejects(sandboxes.makeCheckpoint(checkpointId, checkpoint), /failed/);
    assert.equal(checkpoints.get(checkpointId), undefined);
    assert.equal(sandboxes.get(sandboxId).state, "running");
  });

  test("one whose machine ends meanwhile reports it", async () => {
    const { sandboxes, machines, reached, hold, fail } = await runningScenario();
    fail("save checkpoint");
    const release = hold("save checkpoint");
    const making = sandboxes.makeCheckpoint(checkpointId, checkpoint);
    await reached("save checkpoint");
    machines.end("machine-0");
    release();
    await assert.rejects(making, failsWith("sandbox_not_running"));
    await sandboxes.whenIdle();
    assert.equal(sandboxes.get(sandboxId).state, "hibernated");
  });

  test("a hibernated sandbox has no checkpoint made", async () => {
    const { sandboxes } = await hibernatedScenario();
    await assert.rejects(
      sandboxes.makeCheckpoint(checkpointId, checkpoint),
      failsWith("sandbox_not_running"),
    );
  });

  test("forks are machines of it; of one that does not exist, none is made", async () => {
    const { sandboxes, checkpoints, events } = sandboxesScenario();
    const fork = spec({ checkpointId });
    await assert.rejects(sandboxes.prepare(fork), failsWith("checkpoint_not_found"));
    assert.equal(events.length, 0);
    checkpoints.put(checkpointId);
    assert.equal((await sandboxes.prepare(fork)).memory, "kept");
    assert.ok(events.includes("make fork"));
  });

  for (const [what, isLost] of [
    ["its files are gone", false],
    ["its memory is gone", true],
  ] as const) {
    test(`one that is deleted while a fork is made: ${what}, and no fork comes of it`, async () => {
      const { sandboxes, checkpoints, events, hold, fail, reached } = sandboxesScenario();
      checkpoints.put(checkpointId, { lostBecause: isLost ? "it could not be loaded" : null });
      const release = hold("make fork");
      const forking = sandboxes.prepare(spec({ checkpointId }));
      await reached("make fork");
      await sandboxes.removeCheckpoint(checkpointId);
      if (!isLost) fail("make fork");
      release();
      await assert.rejects(forking, failsWith("checkpoint_not_found"));
      assert.equal(events.includes("discard machine-0"), isLost);
      assert.deepEqual(sandboxes.list(), []);
    });
  }
});

describe("restoreSandbox", () => {
  test("the replacement is ready before the machine goes", async () => {
    const { sandboxes, checkpoints, events } = await runningScenario();
    checkpoints.put(checkpointId);
    const restored = await sandboxes.restore(sandboxId, { ...policy, checkpointId });
    assert.equal(restored.state, "prepared");
    assert.equal(events[0], "make fork");
    assert.equal(events.at(-1), "discard machine-0");
    assert.equal((await sandboxes.start(sandboxId)).state, "running");
  });

  test("for a hibernated sandbox, what was saved is removed", async () => {
    const { sandboxes, checkpoints, events, hibernated: saved } = await hibernatedScenario();
    checkpoints.put(checkpointId);
    await sandboxes.restore(sandboxId, { ...policy, checkpointId });
    assert.equal(events.at(-1), "forget sandbox");
    assert.equal(saved.get(sandboxId), undefined);
  });

  for (const failOn of ["make fork", "mode open", "record prepared", "limit"]) {
    test(`when ${failOn} fails the sandbox keeps running as before`, async () => {
      const { sandboxes, checkpoints, events, fail } = await runningScenario();
      checkpoints.put(checkpointId);
      const before = sandboxes.get(sandboxId);
      fail(failOn);
      await assert.rejects(sandboxes.restore(sandboxId, { ...policy, checkpointId }), /failed/);
      assert.deepEqual(sandboxes.get(sandboxId), before);
      assert.ok(!events.includes("discard machine-0"));
      assert.ok(sandboxes.agentOf(sandboxId));
    });
  }

  test("for a checkpoint that does not exist nothing is discarded", async () => {
    const { sandboxes, events } = await runningScenario();
    await assert.rejects(
      sandboxes.restore(sandboxId, { ...policy, checkpointId }),
      failsWith("checkpoint_not_found"),
    );
    assert.deepEqual(events, []);
  });
});
