import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { sandboxSpec as spec } from "../../testing/fake-machines.ts";
import { failsWith, runningScenario, sandboxesScenario } from "../../testing/sandboxes-scenario.ts";

const { sandboxId } = spec();
const policy = { egressMode: "open", envs: { B: "2" } } as const;

describe("the end of a machine", () => {
  test("leaves the sandbox hibernated, with its disk alone, and why", async () => {
    const { sandboxes, machines, events, hibernated: saved } = await runningScenario();
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
    const { sandboxes, machines, events, fail } = await runningScenario();
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
