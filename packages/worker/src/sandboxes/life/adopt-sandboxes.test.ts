import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { MachineRecord } from "../../machines/machine-record.ts";
import { sandboxSpec as spec } from "../../testing/fake-machines.ts";
import { sandboxesScenario } from "../../testing/sandboxes-scenario.ts";

const { sandboxId } = spec();
const machineId = "5f0c3c52-9f7e-4c2e-8a55-0f4f5d6c7b8a";
const policy = { egressMode: "open", envs: {} } as const;
const inPhase = (phase: MachineRecord["phase"]) => ({ sandbox: spec(), machineId, phase });

describe("createSandboxes: adopt", () => {
  test("saved alone: hibernated, with its memory", async () => {
    const { sandboxes, hibernated, events } = sandboxesScenario();
    hibernated.put(sandboxId, { sandbox: spec() });
    await sandboxes.adopt([]);
    const { state, memory } = sandboxes.get(sandboxId);
    assert.deepEqual([state, memory], ["hibernated", "kept"]);
    assert.deepEqual(events, []);
    assert.equal((await sandboxes.wake(sandboxId, policy)).state, "prepared");
  });

  const alone = [
    ["prepared", "prepared", []],
    ["released", "prepared", []],
    ["started", "running", ["resume"]],
  ] as const;
  for (const [phase, state, events] of alone) {
    test(`a ${phase} machine alone: ${state}`, async () => {
      const scenario = sandboxesScenario();
      await scenario.sandboxes.adopt([scenario.machines.fake(inPhase(phase))]);
      assert.equal(scenario.sandboxes.get(sandboxId).state, state);
      assert.deepEqual(scenario.events, events);
      assert.equal((await scenario.sandboxes.start(sandboxId)).state, "running");
    });
  }

  test("saved, and prepared by a wake: prepared; what was saved is kept until it runs", async () => {
    const { sandboxes, hibernated, machines } = sandboxesScenario();
    hibernated.put(sandboxId, { sandbox: spec() });
    await sandboxes.adopt([machines.fake(inPhase("prepared"))]);
    assert.equal(sandboxes.get(sandboxId).state, "prepared");
    assert.ok(hibernated.get(sandboxId));
    await sandboxes.start(sandboxId);
    assert.equal(hibernated.get(sandboxId), undefined);
  });

  for (const phase of ["released", "started"] as const) {
    test(`saved, and a ${phase} machine: what was saved holds`, async () => {
      const { sandboxes, hibernated, machines, events } = sandboxesScenario();
      hibernated.put(sandboxId, { sandbox: spec() });
      await sandboxes.adopt([machines.fake(inPhase(phase))]);
      assert.equal(sandboxes.get(sandboxId).state, "hibernated");
      assert.deepEqual(events, ["discard machine-0"]);
    });
  }

  for (const order of [
    ["prepared", "started"],
    ["started", "prepared"],
  ] as const) {
    test(`${order.join(" and ")} machines of one sandbox: a restore did not come to its end`, async () => {
      const { sandboxes, machines, events } = sandboxesScenario();
      const both = order.map((phase) => machines.fake(inPhase(phase)));
      await sandboxes.adopt(both);
      assert.equal(sandboxes.get(sandboxId).state, "running");
      const prepared = both.find(({ record }) => record.phase === "prepared");
      assert.deepEqual(events, ["resume", `discard ${prepared?.id}`]);
    });
  }

  test("a machine that has ended: hibernated, with its disk", async () => {
    const { sandboxes, machines, hibernated, events } = sandboxesScenario();
    await sandboxes.adopt([machines.fake(inPhase("started"), { isOver: true })]);
    const { state, memory } = sandboxes.get(sandboxId);
    assert.deepEqual([state, memory], ["hibernated", "lost"]);
    assert.equal(hibernated.get(sandboxId)?.kind, "disk_only");
    assert.ok(events.includes("discard machine-0"));
  });

  test("a machine that ends just before it is adopted: hibernated, with its disk", async () => {
    const { sandboxes, machines, hibernated } = sandboxesScenario();
    const machine = machines.fake(inPhase("started"));
    machines.end(machine.id);
    await sandboxes.adopt([machine]);
    const { state, memory } = sandboxes.get(sandboxId);
    assert.deepEqual([state, memory], ["hibernated", "lost"]);
    assert.equal(hibernated.get(sandboxId)?.kind, "disk_only");
  });

  test("a machine that was prepared by a wake and has ended: what was saved holds", async () => {
    const { sandboxes, machines, hibernated, events } = sandboxesScenario();
    hibernated.put(sandboxId, { sandbox: spec() });
    await sandboxes.adopt([machines.fake(inPhase("prepared"), { isOver: true })]);
    const { state, memory } = sandboxes.get(sandboxId);
    assert.deepEqual([state, memory], ["hibernated", "kept"]);
    assert.ok(!events.includes("save sandbox"));
  });

  test("one that cannot be brought back keeps no other from it, and is tried again", async () => {
    const { sandboxes, machines, fail } = sandboxesScenario();
    const other = spec({ sandboxId: "sb-bbbbbbbbbbbbbbbbbbbb" });
    const mend = fail("save sandbox");
    await sandboxes.adopt([
      machines.fake(inPhase("started"), { isOver: true }),
      machines.fake({ sandbox: other, machineId, phase: "started" }),
    ]);
    assert.equal(sandboxes.get(other.sandboxId).state, "running");
    mend();
    assert.equal((await sandboxes.wake(sandboxId, policy)).memory, "lost");
  });

  test("an adopted machine keeps its id; one of an older record gets one, and it is stored", async () => {
    const { sandboxes, machines, events } = sandboxesScenario();
    const other = spec({ sandboxId: "sb-bbbbbbbbbbbbbbbbbbbb" });
    const older = machines.fake({ sandbox: other, phase: "started" });
    await sandboxes.adopt([machines.fake(inPhase("started")), older]);
    assert.equal(sandboxes.get(sandboxId).machineId, machineId);
    const minted = sandboxes.get(other.sandboxId).machineId;
    assert.ok(minted !== null && minted !== machineId);
    assert.equal(older.record.machineId, minted);
    assert.deepEqual(events, ["resume", "record started", "resume"]);
  });

  test("an older record that cannot be replaced: the machine runs, and has an id", async () => {
    const { sandboxes, machines, fail } = sandboxesScenario();
    fail("record started");
    await sandboxes.adopt([machines.fake({ sandbox: spec(), phase: "started" })]);
    const adopted = sandboxes.get(sandboxId);
    assert.equal(adopted.state, "running");
    assert.ok(adopted.machineId !== null);
  });

  test("a machine of no sandbox is not adopted as one", async () => {
    const { sandboxes, machines } = sandboxesScenario();
    await sandboxes.adopt([machines.fake()]);
    assert.deepEqual(sandboxes.list(), []);
  });

  test("golden snapshots of machines and of what was saved are in use; processes are returned", async () => {
    const { sandboxes, machines, hibernated } = sandboxesScenario();
    const disk = { goldenFingerprint: "golden-2", layers: [], sizeMB: 8192 };
    hibernated.put("sb-bbbbbbbbbbbbbbbbbbbb", {
      sandbox: spec({ sandboxId: "sb-bbbbbbbbbbbbbbbbbbbb" }),
      disk,
    });
    await sandboxes.adopt([machines.fake(inPhase("started"))]);
    assert.deepEqual(sandboxes.goldenFingerprints().sort(), ["golden-1", "golden-2"]);
    assert.deepEqual([...(await sandboxes.whenIdle())], [100]);
  });
});
