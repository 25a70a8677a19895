import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { initialScaling } from "@opencomputer/protocol/wire";
import { sandboxSpec as spec } from "../../testing/fake-machines.ts";
import {
  failsWith,
  hibernatedScenario,
  runningScenario,
  sandboxesScenario,
} from "../../testing/sandboxes-scenario.ts";

const { sandboxId } = spec();
const policy = { egressMode: "open", envs: { B: "2" } } as const;
const checkpointId = "0b1e5a3c-6d0c-4f5b-8f59-2c5c6f5a9d10";

describe("hibernateSandbox", () => {
  test("a running sandbox is saved, then its machine is discarded; again it returns the same", async () => {
    const { sandboxes, events } = await runningScenario();
    const saved = await sandboxes.hibernate(sandboxId);
    assert.equal(saved.sizeBytes, 4096);
    assert.deepEqual(events, ["save sandbox", "discard machine-0", "flatten sandbox"]);
    assert.deepEqual(sandboxes.get(sandboxId), {
      sandboxId,
      state: "hibernated",
      sourceAddress: null,
      machineId: null,
      memory: "kept",
      lostBecause: null,
      size: { memoryMB: 1024, scaling: initialScaling(1024) },
    });
    assert.equal(await sandboxes.hibernate(sandboxId), saved);
    assert.equal(events.length, 3);
  });

  test("a sandbox that cannot be saved keeps running", async () => {
    const { sandboxes, events, fail } = await runningScenario();
    fail("save sandbox");
    await assert.rejects(sandboxes.hibernate(sandboxId), /failed/);
    assert.deepEqual(events, ["save sandbox"]);
    assert.equal(sandboxes.get(sandboxId).state, "running");
    assert.ok(sandboxes.agentOf(sandboxId));
  });

  test("only what runs can be saved", async () => {
    const { sandboxes, events } = sandboxesScenario();
    await assert.rejects(
      async () => sandboxes.hibernate(sandboxId),
      failsWith("sandbox_not_found"),
    );
    await sandboxes.prepare(spec());
    await assert.rejects(sandboxes.hibernate(sandboxId), failsWith("sandbox_not_running"));
    assert.ok(!events.includes("save sandbox"));
  });

  test("a machine that was prepared by a wake is discarded, and what was saved is kept", async () => {
    const { sandboxes, events } = await hibernatedScenario();
    await sandboxes.wake(sandboxId, policy);
    events.length = 0;
    await sandboxes.hibernate(sandboxId);
    assert.deepEqual(events, ["discard machine-1"]);
    assert.equal(sandboxes.get(sandboxId).memory, "kept");
  });

  test("a machine that ends while it is saved is reported, and its disk is kept", async () => {
    const { sandboxes, machines, events, reached, hold, fail } = await runningScenario();
    const mend = fail("save sandbox");
    const release = hold("save sandbox");
    const hibernating = sandboxes.hibernate(sandboxId);
    await reached("save sandbox");
    machines.end("machine-0");
    release();
    await assert.rejects(hibernating, failsWith("sandbox_not_running"));
    mend();
    await sandboxes.whenIdle();
    await sandboxes.wake(sandboxId, policy);
    assert.equal(sandboxes.get(sandboxId).lostBecause, "its machine ended by itself");
    assert.equal(sandboxes.get(sandboxId).memory, "lost");
    assert.ok(events.includes("discard machine-0"));
  });
});

describe("wakeSandbox", () => {
  test("a machine is made with the new policy; what was saved goes before the guest runs", async () => {
    const { sandboxes, events, hibernated: saved } = await hibernatedScenario();
    const woken = await sandboxes.wake(sandboxId, policy);
    assert.equal(woken.state, "prepared");
    assert.equal(woken.memory, "kept");
    assert.deepEqual([...events].sort(), ["limit", "make again", "mode open", "record prepared"]);
    assert.ok(saved.get(sandboxId));
    events.length = 0;
    assert.equal((await sandboxes.start(sandboxId)).state, "running");
    assert.deepEqual(events, [
      "record released",
      "forget sandbox",
      "resume",
      `configure ${sandboxId}`,
      "record started",
    ]);
    assert.equal(saved.get(sandboxId), undefined);
  });

  test("each machine of a sandbox has its own id: prepared, woken, restored", async () => {
    const { sandboxes, checkpoints } = sandboxesScenario();
    const ids = [(await sandboxes.prepare(spec())).machineId];
    assert.equal((await sandboxes.start(sandboxId)).machineId, ids[0]);
    await sandboxes.hibernate(sandboxId);
    ids.push((await sandboxes.wake(sandboxId, policy)).machineId);
    checkpoints.put(checkpointId);
    ids.push((await sandboxes.restore(sandboxId, { checkpointId, ...policy })).machineId);
    assert.equal(new Set(ids).size, 3);
    assert.ok(!ids.includes(null));
  });

  test("all who wake it at once share one machine", async () => {
    const { sandboxes, events } = await hibernatedScenario();
    const woken = await Promise.all(
      Array.from({ length: 100 }, () => sandboxes.wake(sandboxId, policy)),
    );
    assert.equal(new Set(woken.map(({ sourceAddress }) => sourceAddress)).size, 1);
    await Promise.all(Array.from({ length: 100 }, () => sandboxes.start(sandboxId)));
    assert.equal(events.filter((event) => event === "make again").length, 1);
    assert.equal(events.filter((event) => event === "resume").length, 1);
  });

  for (const failOn of ["make again", "mode open", "record prepared", "limit"]) {
    test(`when ${failOn} fails it hibernates as before, and can be woken`, async () => {
      const { sandboxes, fail } = await hibernatedScenario();
      const before = sandboxes.get(sandboxId);
      const mend = fail(failOn);
      await assert.rejects(sandboxes.wake(sandboxId, policy), /failed/);
      assert.deepEqual(sandboxes.get(sandboxId), before);
      mend();
      assert.equal((await sandboxes.wake(sandboxId, policy)).state, "prepared");
    });
  }

  for (const failOn of ["record released", "forget sandbox"]) {
    test(`when ${failOn} fails at its start the guest has not run`, async () => {
      const { sandboxes, events, fail } = await hibernatedScenario();
      await sandboxes.wake(sandboxId, policy);
      const mend = fail(failOn);
      await assert.rejects(sandboxes.start(sandboxId), /failed/);
      assert.ok(!events.includes("resume"));
      assert.equal(sandboxes.get(sandboxId).state, "prepared");
      mend();
      assert.equal((await sandboxes.start(sandboxId)).state, "running");
    });
  }

  test("what was flattened since it was saved is what is woken", async () => {
    const { sandboxes, hibernated: saved, machines } = await hibernatedScenario();
    const made: unknown[] = [];
    const { make } = machines;
    machines.make = (origin) => {
      made.push(origin.disk.layers);
      return make(origin);
    };
    const disk = { goldenFingerprint: "golden-1", layers: ["flat"], sizeMB: 8192 };
    saved.put(sandboxId, { sandbox: spec(), disk });
    await sandboxes.wake(sandboxId, policy);
    assert.deepEqual(made, [["flat"]]);
  });

  test("a machine that ends before its start leaves what was saved, with its memory", async () => {
    const { sandboxes, machines, events } = await hibernatedScenario();
    await sandboxes.wake(sandboxId, policy);
    machines.end("machine-1");
    await sandboxes.whenIdle();
    const { state, memory } = sandboxes.get(sandboxId);
    assert.deepEqual([state, memory], ["hibernated", "kept"]);
    assert.ok(!events.includes("save sandbox"));
    assert.equal((await sandboxes.wake(sandboxId, policy)).state, "prepared");
  });
});
