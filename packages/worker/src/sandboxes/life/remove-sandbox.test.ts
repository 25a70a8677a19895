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

describe("removeSandbox", () => {
  test("once for all callers, then it does not exist; its end is no failure", async () => {
    const { sandboxes, machines, events } = sandboxesScenario();
    await sandboxes.prepare(spec());
    const removals = [sandboxes.remove(sandboxId), sandboxes.remove(sandboxId)];
    machines.end("machine-0");
    await Promise.all(removals);
    assert.equal(events.filter((event) => event.startsWith("discard")).length, 1);
    assert.ok(!events.some((event) => event.includes("ended unexpectedly")));
    await assert.rejects(sandboxes.remove(sandboxId), failsWith("sandbox_not_found"));
  });

  test("waits for a sandbox that is still being prepared", async () => {
    const { sandboxes, events } = sandboxesScenario();
    const prepared = sandboxes.prepare(spec());
    await sandboxes.remove(sandboxId);
    await prepared;
    assert.equal(events.at(-1), "discard machine-0");
    assert.deepEqual(sandboxes.list(), []);
  });

  test("hibernated: what was saved goes", async () => {
    const { sandboxes, events } = await hibernatedScenario();
    await sandboxes.remove(sandboxId);
    assert.deepEqual(events, ["forget sandbox"]);
    assert.deepEqual(sandboxes.list(), []);
  });

  test("prepared by a wake: both go", async () => {
    const { sandboxes, events } = await hibernatedScenario();
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
      const scenario = await (change === "wake" ? hibernatedScenario() : runningScenario());
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
    const { sandboxes, fail } = await runningScenario();
    const mend = fail("discard machine-0");
    await assert.rejects(sandboxes.remove(sandboxId), /failed/);
    assert.throws(() => sandboxes.agentOf(sandboxId), failsWith("sandbox_not_running"));
    mend();
    await sandboxes.remove(sandboxId);
    assert.deepEqual(sandboxes.list(), []);
  });
});
