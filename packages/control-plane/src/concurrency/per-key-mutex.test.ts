import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as nextTick } from "node:timers/promises";
import { PerKeyMutex } from "./per-key-mutex.ts";

describe("PerKeyMutex", () => {
  test("one key: in order and never two at once, also after a failure", async () => {
    const mutex = new PerKeyMutex();
    const events: string[] = [];
    const work = (name: string, fails = false) =>
      mutex.run("key", async () => {
        events.push(`${name} begins`);
        await nextTick();
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
    const mutex = new PerKeyMutex();
    let release = (): void => assert.fail("not waiting yet");
    const held = mutex.run("a", () => new Promise<void>((resolve) => (release = resolve)));
    assert.equal(await mutex.run("b", async () => "done"), "done");
    release();
    await held;
  });

  test("a key is held while its work runs or waits, and free after a failure", async () => {
    const mutex = new PerKeyMutex();
    assert.equal(mutex.isHeld("key"), false);
    const first = mutex.run("key", () => nextTick());
    const second = mutex.run("key", async () => {
      throw new Error("second");
    });
    assert.equal(mutex.isHeld("key"), true);
    assert.equal(mutex.isHeld("other"), false);
    await first;
    assert.equal(mutex.isHeld("key"), true);
    await assert.rejects(second, /second/);
    assert.equal(mutex.isHeld("key"), false);
  });

  test("more callers may wait for a key than the library's default allows", async () => {
    const mutex = new PerKeyMutex();
    const waiting = Array.from({ length: 2_000 }, (_, index) =>
      mutex.run("key", async () => index),
    );
    assert.equal((await Promise.all(waiting)).length, 2_000);
  });
});
