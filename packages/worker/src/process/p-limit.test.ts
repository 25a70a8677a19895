import assert from "node:assert/strict";
import { describe, test } from "node:test";
import pLimit from "p-limit";

/** Work that ends when `end` is called. */
function work() {
  let end = (): void => undefined;
  const done = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { done, end: () => end() };
}

describe("p-limit as a mutex", () => {
  test("runs tasks one after the other, in the order they were given", async () => {
    const mutex = pLimit(1);
    const events: string[] = [];
    const first = work();
    const results = [
      mutex(async () => {
        events.push("first begins");
        await first.done;
        events.push("first ends");
        return 1;
      }),
      mutex(async () => {
        events.push("second");
        return 2;
      }),
      mutex(async () => {
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

  test("a failure is its own caller's, and the next task runs", async () => {
    const mutex = pLimit(1);
    const failed = mutex(() => Promise.reject(new Error("failed")));
    const next = mutex(async () => "next");
    await assert.rejects(failed, /failed/);
    assert.equal(await next, "next");
  });

  test("a task that does nothing ends after all that were given before it, whatever becomes of them", async () => {
    const mutex = pLimit(1);
    const events: string[] = [];
    const first = work();
    mutex(async () => {
      await first.done;
      events.push("first");
    });
    const failed = mutex(async () => {
      events.push("second");
      throw new Error("failed");
    });
    const last = mutex(() => undefined).then(() => events.push("last"));
    first.end();
    await assert.rejects(failed, /failed/);
    await last;
    assert.deepEqual(events, ["first", "second", "last"]);
  });

  test("a task runs at once when there is no other", async () => {
    await pLimit(1)(() => undefined);
  });
});

describe("p-limit as a limiter", () => {
  test("never runs more tasks than it may, and runs all", async () => {
    const limit = pLimit(3);
    let running = 0;
    let most = 0;
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        limit(async () => {
          running += 1;
          most = Math.max(most, running);
          await new Promise((resolve) => setImmediate(resolve));
          running -= 1;
          return index;
        }),
      ),
    );
    assert.equal(most, 3);
    assert.deepEqual(
      results,
      Array.from({ length: 20 }, (_, index) => index),
    );
  });

  test("a task that fails frees its place", async () => {
    const limit = pLimit(1);
    await assert.rejects(
      limit(() => Promise.reject(new Error("no"))),
      /no/,
    );
    assert.equal(await limit(async () => "next"), "next");
  });
});
