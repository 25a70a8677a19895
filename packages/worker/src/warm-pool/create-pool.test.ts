import assert from "node:assert/strict";
import { describe, mock, test } from "node:test";
import { createPool } from "./create-pool.ts";

/** Waits until no more promises can resolve. */
async function flushPromises(): Promise<void> {
  for (let round = 0; round < 20; round += 1) await Promise.resolve();
}

function scenario(options: { size: number; make?: () => Promise<number> }) {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const discarded: number[] = [];
  const failures: unknown[] = [];
  let made = 0;
  const pool = createPool<number>({
    size: options.size,
    make: options.make ?? (async () => (made += 1)),
    discard: async (item) => {
      discarded.push(item);
    },
    quietMilliseconds: 100,
    patienceMilliseconds: 1000,
    onFailure: (error) => failures.push(error),
  });
  return {
    pool,
    discarded,
    failures,
    madeCount: () => made,
    async pass(milliseconds: number) {
      mock.timers.tick(milliseconds);
      await flushPromises();
    },
    end: () => mock.timers.reset(),
  };
}

describe("createPool", () => {
  test("fills up to its size, one item after the other", async () => {
    const { pool, pass, madeCount, end } = scenario({ size: 2 });
    for (let round = 0; round < 5; round += 1) await pass(0);
    assert.equal(madeCount(), 2);
    assert.equal(pool.take(), 1);
    assert.equal(pool.take(), 2);
    assert.equal(pool.take(), undefined);
    end();
  });

  test("refills only once it has been quiet", async () => {
    const { pool, pass, madeCount, end } = scenario({ size: 1 });
    await pass(0);
    pool.take();
    await pass(99);
    pool.noteActivity();
    await pass(99);
    assert.equal(madeCount(), 1);
    await pass(1);
    assert.equal(madeCount(), 2);
    end();
  });

  test("refills under steady activity when its patience ends", async () => {
    const { pool, pass, madeCount, end } = scenario({ size: 1 });
    await pass(0);
    pool.take();
    for (let elapsed = 0; elapsed < 1000; elapsed += 50) {
      assert.equal(madeCount(), 1);
      pool.noteActivity();
      await pass(50);
    }
    assert.equal(madeCount(), 2);
    end();
  });

  test("replaces an item that broke while it waited", async () => {
    const { pool, pass, end } = scenario({ size: 1 });
    await pass(0);
    assert.equal(pool.remove(1), true);
    assert.equal(pool.remove(1), false);
    assert.equal(pool.take(), undefined);
    await pass(100);
    assert.equal(pool.take(), 2);
    end();
  });

  test("reports a failure and tries again", async () => {
    let attempts = 0;
    const { pool, pass, failures, end } = scenario({
      size: 1,
      make: async () => {
        attempts += 1;
        if (attempts === 1) throw new Error("no memory");
        return attempts;
      },
    });
    await pass(0);
    assert.equal(failures.length, 1);
    await pass(999);
    assert.equal(pool.take(), undefined);
    await pass(1);
    assert.equal(pool.take(), 2);
    end();
  });

  test("close discards what is ready and what is being made, and makes no more", async () => {
    let finish: (item: number) => void = () => assert.fail("nothing is being made");
    let attempts = 0;
    const { pool, pass, discarded, end } = scenario({
      size: 2,
      make: () => {
        attempts += 1;
        return attempts === 1
          ? Promise.resolve(1)
          : new Promise<number>((resolve) => {
              finish = resolve;
            });
      },
    });
    await pass(0);
    await pass(0);
    const closed = pool.close();
    finish(2);
    await closed;
    assert.deepEqual(discarded.sort(), [1, 2]);
    await pass(10_000);
    assert.equal(attempts, 2);
    end();
  });
});
