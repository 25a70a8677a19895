import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createTurns } from "./turns.ts";

/** Work that ends when it is told to. */
function work() {
  let end = (): void => undefined;
  const done = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { done, end: () => end() };
}

describe("createTurns", () => {
  test("one after the other, in the order of asking", async () => {
    const turns = createTurns();
    const events: string[] = [];
    const first = work();
    const results = [
      turns.take(async () => {
        events.push("first begins");
        await first.done;
        events.push("first ends");
        return 1;
      }),
      turns.take(async () => {
        events.push("second");
        return 2;
      }),
      turns.take(async () => {
        events.push("third");
        return 3;
      }),
    ];
    await Promise.resolve();
    assert.deepEqual(events, ["first begins"]);
    first.end();
    assert.deepEqual(await Promise.all(results), [1, 2, 3]);
    assert.deepEqual(events, ["first begins", "first ends", "second", "third"]);
  });

  test("a failure is its own caller's, and the next one's turn comes", async () => {
    const turns = createTurns();
    const failed = turns.take(() => Promise.reject(new Error("failed")));
    const next = turns.take(async () => "next");
    await assert.rejects(failed, /failed/);
    assert.equal(await next, "next");
  });

  test("settle: waits for all that asked before it, whatever becomes of them", async () => {
    const turns = createTurns();
    const events: string[] = [];
    const first = work();
    turns.take(() => first.done).then(() => events.push("first"));
    const failed = turns.take(async () => {
      events.push("second");
      throw new Error("failed");
    });
    const settled = turns.settle().then(() => events.push("settled"));
    first.end();
    await assert.rejects(failed, /failed/);
    await settled;
    assert.deepEqual(events, ["first", "second", "settled"]);
  });

  test("settle: at once when nobody asked", async () => {
    await createTurns().settle();
  });
});
