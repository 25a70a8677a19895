import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createLimiter } from "./create-limiter.ts";

describe("createLimiter", () => {
  test("never runs more tasks than it may, and runs all", async () => {
    const limit = createLimiter(3);
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
    const limit = createLimiter(1);
    await assert.rejects(
      limit(() => Promise.reject(new Error("no"))),
      /no/,
    );
    assert.equal(await limit(async () => "next"), "next");
  });
});
