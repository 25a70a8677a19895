import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WireError } from "@opencomputer/protocol/api";
import { initialScaling } from "@opencomputer/protocol/wire";
import { sandboxSpec as spec } from "../testing/fake-machines.ts";
import { failsWith, sandboxesScenario } from "../testing/sandboxes-scenario.ts";

const { sandboxId } = spec();
const policy = { egressMode: "open", envs: { B: "2" } } as const;
const checkpoint = { sandboxId, kind: "full" } as const;
const checkpointId = "0b1e5a3c-6d0c-4f5b-8f59-2c5c6f5a9d10";

async function running() {
  const scenario = sandboxesScenario();
  await scenario.sandboxes.prepare(spec());
  await scenario.sandboxes.start(sandboxId);
  scenario.events.length = 0;
  return scenario;
}

async function hibernated() {
  const scenario = await running();
  await scenario.sandboxes.hibernate(sandboxId);
  scenario.events.length = 0;
  return scenario;
}

describe("createSandboxes: hibernate", () => {
  test("a running sandbox is saved, then its machine is discarded; again it returns the same", async () => {
    const { sandboxes, events } = await running();
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
    const { sandboxes, events, fail } = await running();
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
    const { sandboxes, events } = await hibernated();
    await sandboxes.wake(sandboxId, policy);
    events.length = 0;
    await sandboxes.hibernate(sandboxId);
    assert.deepEqual(events, ["discard machine-1"]);
    assert.equal(sandboxes.get(sandboxId).memory, "kept");
  });

  test("a machine that ends while it is saved is reported, and its disk is kept", async () => {
    const { sandboxes, machines, events, reached, hold, fail } = await running();
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

describe("createSandboxes: usage", () => {
  test("every machine that has run is read once more before it ends", async () => {
    const { sandboxes, lastReadings, checkpoints } = await running();
    const machines = () => sandboxes.runningMachines().map(({ id }) => id);
    assert.deepEqual(machines(), ["machine-0"]);
    await sandboxes.hibernate(sandboxId);
    assert.deepEqual([machines(), lastReadings], [[], ["machine-0"]]);
    await sandboxes.wake(sandboxId, policy);
    assert.deepEqual(machines(), [], "one that is prepared has not run");
    await sandboxes.start(sandboxId);
    checkpoints.put(checkpointId);
    await sandboxes.restore(sandboxId, { checkpointId, ...policy });
    await sandboxes.start(sandboxId);
    await sandboxes.reboot(sandboxId, { orderly: false });
    await sandboxes.start(sandboxId);
    await sandboxes.remove(sandboxId);
    assert.deepEqual(lastReadings, ["machine-0", "machine-1", "machine-2", "machine-3"]);
  });
});

describe("createSandboxes: wake", () => {
  test("a machine is made with the new policy; what was saved goes before the guest runs", async () => {
    const { sandboxes, events, hibernated: saved } = await hibernated();
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
    const { sandboxes, events } = await hibernated();
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
      const { sandboxes, fail } = await hibernated();
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
      const { sandboxes, events, fail } = await hibernated();
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
    const { sandboxes, hibernated: saved, machines } = await hibernated();
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
    const { sandboxes, machines, events } = await hibernated();
    await sandboxes.wake(sandboxId, policy);
    machines.end("machine-1");
    await sandboxes.whenIdle();
    const { state, memory } = sandboxes.get(sandboxId);
    assert.deepEqual([state, memory], ["hibernated", "kept"]);
    assert.ok(!events.includes("save sandbox"));
    assert.equal((await sandboxes.wake(sandboxId, policy)).state, "prepared");
  });
});

describe("createSandboxes: a guest that does not start", () => {
  const reason = "it did not start with its saved memory in 3 attempts or more";
  async function wakeFailing() {
    const scenario = await hibernated();
    await scenario.sandboxes.wake(sandboxId, policy);
    const mend = scenario.fail(`configure ${sandboxId}`);
    /** Each attempt takes a minute. */
    const fails = async (expected: RegExp) => {
      await assert.rejects(scenario.sandboxes.start(sandboxId), expected);
      scenario.clock.milliseconds += 60_000;
    };
    return { ...scenario, mend, fails };
  }

  test("is ended at the third failure in two minutes, with its disk kept, and boots at the next wake", async () => {
    const { sandboxes, events, mend, fails } = await wakeFailing();
    await fails(/^Error: configure/);
    await fails(/^Error: configure/);
    assert.equal(sandboxes.get(sandboxId).state, "prepared");
    events.length = 0;
    await fails(/did not start in 3 attempts.*wake it to boot from its disk.*configure/);
    await sandboxes.whenIdle();
    assert.deepEqual(events.slice(-4), [
      ...["A guest that does not start is ended", "kill machine-1"],
      ...["save sandbox", "discard machine-1"],
    ]);
    const { state, memory, lostBecause } = sandboxes.get(sandboxId);
    assert.deepEqual([state, memory, lostBecause], ["hibernated", "lost", reason]);
    await sandboxes.wake(sandboxId, policy);
    mend();
    const woken = await sandboxes.start(sandboxId);
    assert.deepEqual([woken.state, woken.lostBecause], ["running", reason]);
  });

  test("keeps its memory when it fails often within a short time: the host may be busy", async () => {
    const { sandboxes, clock } = await wakeFailing();
    for (let attempt = 0; attempt < 20; attempt += 1) {
      await assert.rejects(sandboxes.start(sandboxId), /^Error: configure/);
      clock.milliseconds += 5_000;
    }
    const { state, memory } = sandboxes.get(sandboxId);
    assert.deepEqual([state, memory], ["prepared", "kept"]);
  });

  test("is tried again as often after it has started once", async () => {
    const { sandboxes, fail, mend, fails } = await wakeFailing();
    for (let attempt = 0; attempt < 2; attempt += 1) await fails(/^Error: configure/);
    mend();
    await sandboxes.start(sandboxId);
    await sandboxes.hibernate(sandboxId);
    await sandboxes.wake(sandboxId, policy);
    fail(`configure ${sandboxId}`);
    for (let attempt = 0; attempt < 2; attempt += 1) await fails(/^Error: configure/);
    assert.equal(sandboxes.get(sandboxId).memory, "kept");
  });

  test("keeps its memory while the host's disk is full", async () => {
    const { sandboxes, machines, fails } = await wakeFailing();
    machines.lackStorage(true);
    for (let attempt = 0; attempt < 5; attempt += 1) await fails(/^Error: configure/);
    const { state, memory } = sandboxes.get(sandboxId);
    assert.deepEqual([state, memory], ["prepared", "kept"]);
  });

  test("boots after its machine was killed three times while its memory was loaded", async () => {
    const { sandboxes, machines, clock } = await hibernated();
    const { make } = machines;
    machines.make = async (origin) => {
      if (origin.memory !== null) throw new WireError("guest_failed", "it was killed");
      return make(origin);
    };
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await assert.rejects(sandboxes.wake(sandboxId, policy), failsWith("guest_failed"));
      assert.equal(sandboxes.get(sandboxId).memory, "kept");
      clock.milliseconds += 60_000;
    }
    const { state, memory, lostBecause } = await sandboxes.wake(sandboxId, policy);
    assert.deepEqual([state, memory, lostBecause], ["prepared", "lost", reason]);
  });
});

describe("createSandboxes: the end of a machine", () => {
  test("leaves the sandbox hibernated, with its disk alone, and why", async () => {
    const { sandboxes, machines, events, hibernated: saved } = await running();
    machines.end("machine-0");
    await sandboxes.whenIdle();
    const { state, memory, lostBecause } = sandboxes.get(sandboxId);
    assert.deepEqual(
      [state, memory, lostBecause],
      ["hibernated", "lost", "its machine ended by itself"],
    );
    assert.equal(saved.get(sandboxId)?.kind, "disk_only");
    assert.deepEqual(events, [
      "A sandbox's machine has ended unexpectedly",
      "save sandbox",
      "discard machine-0",
    ]);
    const woken = await sandboxes.wake(sandboxId, policy);
    assert.deepEqual([woken.memory, woken.lostBecause], ["lost", "its machine ended by itself"]);
  });

  test("what cannot be saved then is saved by the next one who wants something of it", async () => {
    const { sandboxes, machines, events, fail } = await running();
    const mend = fail("save sandbox");
    machines.end("machine-0");
    await sandboxes.whenIdle();
    assert.throws(() => sandboxes.agentOf(sandboxId), failsWith("sandbox_not_running"));
    await assert.rejects(sandboxes.wake(sandboxId, policy), /save sandbox failed/);
    assert.ok(!events.includes("discard machine-0"));
    mend();
    assert.equal((await sandboxes.wake(sandboxId, policy)).memory, "lost");
    assert.ok(events.includes("discard machine-0"));
  });

  test("a machine that is paused on a full disk takes no calls", async () => {
    const { sandboxes, machines } = sandboxesScenario();
    machines.lackStorage(true);
    await sandboxes.prepare(spec());
    await sandboxes.start(sandboxId);
    assert.throws(() => sandboxes.agentOf(sandboxId), failsWith("host_storage_full"));
    await assert.rejects(sandboxes.hibernate(sandboxId), failsWith("host_storage_full"));
    machines.lackStorage(false);
    assert.ok(sandboxes.agentOf(sandboxId));
  });
});

describe("createSandboxes: checkpoints", () => {
  test("a running sandbox keeps running; again it returns the same", async () => {
    const { sandboxes, events } = await running();
    const made = await sandboxes.makeCheckpoint(checkpointId, checkpoint);
    assert.deepEqual(await sandboxes.makeCheckpoint(checkpointId, checkpoint), made);
    assert.equal(events.filter((event) => event === "save checkpoint").length, 1);
    assert.equal(sandboxes.get(sandboxId).state, "running");
  });

  test("one that fails leaves none, and the sandbox running", async () => {
    const { sandboxes, checkpoints, fail } = await running();
    fail("save checkpoint");
    await assert.rejects(sandboxes.makeCheckpoint(checkpointId, checkpoint), /failed/);
    assert.equal(checkpoints.get(checkpointId), undefined);
    assert.equal(sandboxes.get(sandboxId).state, "running");
  });

  test("one whose machine ends meanwhile reports it", async () => {
    const { sandboxes, machines, reached, hold, fail } = await running();
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
    const { sandboxes } = await hibernated();
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

describe("createSandboxes: restore", () => {
  test("the replacement is ready before the machine goes", async () => {
    const { sandboxes, checkpoints, events } = await running();
    checkpoints.put(checkpointId);
    const restored = await sandboxes.restore(sandboxId, { ...policy, checkpointId });
    assert.equal(restored.state, "prepared");
    assert.equal(events[0], "make fork");
    assert.equal(events.at(-1), "discard machine-0");
    assert.equal((await sandboxes.start(sandboxId)).state, "running");
  });

  test("for a hibernated sandbox, what was saved is removed", async () => {
    const { sandboxes, checkpoints, events, hibernated: saved } = await hibernated();
    checkpoints.put(checkpointId);
    await sandboxes.restore(sandboxId, { ...policy, checkpointId });
    assert.equal(events.at(-1), "forget sandbox");
    assert.equal(saved.get(sandboxId), undefined);
  });

  for (const failOn of ["make fork", "mode open", "record prepared", "limit"]) {
    test(`when ${failOn} fails the sandbox keeps running as before`, async () => {
      const { sandboxes, checkpoints, events, fail } = await running();
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
    const { sandboxes, events } = await running();
    await assert.rejects(
      sandboxes.restore(sandboxId, { ...policy, checkpointId }),
      failsWith("checkpoint_not_found"),
    );
    assert.deepEqual(events, []);
  });
});

describe("createSandboxes: remove in every state", () => {
  test("hibernated: what was saved goes", async () => {
    const { sandboxes, events } = await hibernated();
    await sandboxes.remove(sandboxId);
    assert.deepEqual(events, ["forget sandbox"]);
    assert.deepEqual(sandboxes.list(), []);
  });

  test("prepared by a wake: both go", async () => {
    const { sandboxes, events } = await hibernated();
    await sandboxes.wake(sandboxId, policy);
    events.length = 0;
    await sandboxes.remove(sandboxId);
    assert.deepEqual(events, ["kill machine-1", "discard machine-1", "forget sandbox"]);
  });

  for (const [what, event, change] of [
    ["a wake", "make again", "wake"],
    ["its hibernation", "save sandbox", "hibernate"],
  ] as const) {
    test(`during ${what}: nothing of it stays`, async () => {
      const scenario = await (change === "wake" ? hibernated() : running());
      const { sandboxes, hibernated: saved, reached, hold, events } = scenario;
      const release = hold(event);
      const changing =
        change === "wake" ? sandboxes.wake(sandboxId, policy) : sandboxes.hibernate(sandboxId);
      await reached(event);
      const removing = sandboxes.remove(sandboxId);
      release();
      await Promise.all([changing, removing]);
      assert.deepEqual([sandboxes.list(), saved.list()], [[], []]);
      assert.ok(events.includes(change === "wake" ? "discard machine-1" : "discard machine-0"));
      await assert.rejects(
        async () => sandboxes.wake(sandboxId, policy),
        failsWith("sandbox_not_found"),
      );
    });
  }

  test("what fails can be tried again", async () => {
    const { sandboxes, fail } = await running();
    const mend = fail("discard machine-0");
    await assert.rejects(sandboxes.remove(sandboxId), /failed/);
    assert.throws(() => sandboxes.agentOf(sandboxId), failsWith("sandbox_not_running"));
    mend();
    await sandboxes.remove(sandboxId);
    assert.deepEqual(sandboxes.list(), []);
  });
});
