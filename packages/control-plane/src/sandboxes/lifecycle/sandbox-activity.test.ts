import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { createSandboxActivity, type SandboxActivity } from "./sandbox-activity.ts";

describe("SandboxActivity", () => {
  let now: number;
  let writes: number[];
  let activity: SandboxActivity;
  beforeEach(() => {
    now = 100_000;
    writes = [];
    activity = createSandboxActivity({ now: () => now, write: (_id, at) => writes.push(+at) });
  });

  test("writes the first use and then once in five seconds", () => {
    for (let second = 0; second <= 10; second += 1) {
      activity.begin("a")();
      now += 1000;
    }
    assert.deepEqual(writes, [100_000, 105_000, 110_000]);
  });

  test("includes uses that are not stored yet", () => {
    activity.begin("a")();
    now += 3000;
    activity.begin("a")();
    assert.equal(+activity.lastActiveAt("a", new Date(100_000)), 103_000);
  });

  test("an operation under way is use, as long as it takes", () => {
    const end = activity.begin("a");
    now += 3_600_000;
    assert.equal(+activity.lastActiveAt("a", new Date(100_000)), now);
    end();
    const ended = now;
    now += 1000;
    assert.equal(+activity.lastActiveAt("a", new Date(100_000)), ended);
    assert.equal(writes.at(-1), ended);
  });

  test("a later stored time wins, and unknown sandboxes have only that", () => {
    activity.begin("a")();
    assert.equal(+activity.lastActiveAt("a", new Date(200_000)), 200_000);
    assert.equal(+activity.lastActiveAt("b", new Date(1)), 1);
  });

  test("counts operations; ending one twice counts once", () => {
    const first = activity.begin("a");
    const second = activity.begin("a");
    assert.equal(activity.operations("a"), 2);
    first();
    first();
    assert.equal(activity.operations("a"), 1);
    second();
    assert.equal(activity.operations("a"), 0);
  });

  test("what ends after its sandbox was forgotten is not written", () => {
    const end = activity.begin("a");
    activity.forget("a");
    now += 60_000;
    end();
    assert.deepEqual(writes, [100_000]);
    assert.equal(activity.operations("a"), 0);
  });

  test("interrupts the operations under way and the watched connections of one sandbox", () => {
    const interrupted: string[] = [];
    const note = (what: string) => () => interrupted.push(what);
    activity.begin("a", note("operation"));
    activity.begin("a", note("ended operation"))();
    activity.watch("a", note("connection"));
    activity.watch("a", note("ended connection"))();
    activity.watch("b", note("another sandbox"));
    activity.interrupt("a", new Error("hibernated"));
    activity.interrupt("unknown", new Error("hibernated"));
    assert.deepEqual(interrupted, ["operation", "connection"]);
  });
});
