import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WireError } from "@opencomputer/protocol/api";
import { sandboxSpec as spec } from "../../testing/fake-machines.ts";
import { failsWith, hibernatedScenario } from "../../testing/sandboxes-scenario.ts";

const { sandboxId } = spec();
const policy = { egressMode: "open", envs: { B: "2" } } as const;

describe("startSandbox: a guest that does not start", () => {
  const reason = "it did not start with its saved memory in 3 attempts or more";
  async function wakeFailing() {
    const scenario = await hibernatedScenario();
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
    const { sandboxes, machines, clock } = await hibernatedScenario();
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
