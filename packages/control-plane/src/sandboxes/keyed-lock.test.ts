import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { createKeyedLock } from "./keyed-lock.ts";

describe("KeyedLock.run", () => {
  test("one key: in order and never two at once, also after a failure", async () => {
    const lock = createKeyedLock();
    const events: string[] = [];
    const work = (name: string, fails = false) =>
      lock.run("key", async () => {
        events.push(`${name} begins`);
        await turn();
        events.push(`${name} ends`);
        if (fails) throw new Error(name);
        return name;
      });
    const outcomes = await Promise.allSettled([work("a"), work("b", true), work("c")]);
    assert.deepEqual(
      outcomes.map((outcome) => outcome.status),
      ["fulfilled", "rejected", "fulfilled"],
    );
    assert.deepEqual(
      events,
      ["a", "b", "c"].flatMap((name) => [`${name} begins`, `${name} ends`]),
    );
  });

  test("two keys do not wait for one another", async () => {
    const lock = createKeyedLock();
    let release = (): void => assert.fail("not waiting yet");
    const held = lock.run("a", () => new Promise<void>((resolve) => (release = resolve)));
    assert.equal(await lock.run("b", async () => "done"), "done");
    release();
    await held;
  });
});
