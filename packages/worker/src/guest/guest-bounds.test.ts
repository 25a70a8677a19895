import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { seededRandom } from "../testing/seeded-random.ts";
import { createByteBudget, type HeldBytes, withDeadline } from "./guest-bounds.ts";

const untilAborted = (signal: AbortSignal) =>
  new Promise<never>((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
  });

describe("withDeadline", () => {
  test("aborts the work when its time is over, even if garbage is collected meanwhile", async () => {
    const other = new AbortController();
    setFlagsFromString("--expose-gc");
    const collectGarbage = runInNewContext("gc");
    const collecting = setInterval(() => collectGarbage(), 1);
    try {
      await assert.rejects(withDeadline(20, [other.signal], untilAborted), {
        name: "TimeoutError",
      });
    } finally {
      clearInterval(collecting);
    }
  });

  test("aborts the work when another signal is aborted, for its reason", async () => {
    const other = new AbortController();
    const working = withDeadline(60_000, [other.signal], untilAborted);
    other.abort(new Error("closed"));
    await assert.rejects(working, /closed/);
  });

  test("returns what the work returns", async () => {
    assert.equal(await withDeadline(60_000, [], async () => 7), 7);
  });
});

const notRevoked = () => assert.fail("nothing was to be revoked");

describe("createByteBudget", () => {
  test("gives one guest no more than it has, and what was freed again", () => {
    const share = createByteBudget(10).openShare();
    const [first, second] = [share.hold(notRevoked), share.hold(notRevoked)];
    assert.equal(first.take(6), true);
    assert.equal(second.take(5), false);
    assert.equal(second.take(4), true);
    first.release();
    first.release();
    assert.equal(first.take(1), false, "it was released");
    assert.equal(second.take(7), false);
    assert.equal(second.take(6), true);
  });

  test("a guest that holds all of it loses its largest response to another guest", () => {
    const budget = createByteBudget(10);
    const [greedy, other] = [budget.openShare(), budget.openShare()];
    const revoked: string[] = [];
    const [small, large] = [
      greedy.hold(() => revoked.push("small")),
      greedy.hold(() => revoked.push("large")),
    ];
    assert.ok(small.take(4) && large.take(6));
    const held = other.hold(notRevoked);
    assert.equal(held.take(3), true);
    assert.deepEqual(revoked, ["large"]);
    assert.equal(large.take(1), false, "it was revoked");
    large.release();
    assert.equal(held.take(3), true, "what is free is for anyone");
    assert.equal(small.take(2), false, "it would hold as much as the other");
    assert.deepEqual(revoked, ["large"]);
  });

  test("takes nothing from those who hold less, nor for more than there is", () => {
    const budget = createByteBudget(10);
    const [one, other] = [budget.openShare().hold(notRevoked), budget.openShare().hold(notRevoked)];
    assert.ok(one.take(5) && other.take(5));
    assert.equal(one.take(1), false);
    assert.equal(other.take(11), false);
    other.release();
    assert.equal(one.take(5), true);
  });

  test("fuzz: never more than it has is held, and what is released or revoked is free, seed 1 to 50", () => {
    for (let seed = 1; seed <= 50; seed += 1) {
      const random = seededRandom(seed);
      const below = (end: number) => Math.floor(random() * end);
      const budget = createByteBudget(100);
      const shares = Array.from({ length: 4 }, () => budget.openShare());
      const held = new Map<HeldBytes, number>();
      for (let step = 0; step < 300; step += 1) {
        const [known] = [...held.keys()].slice(below(held.size + 1));
        if (known === undefined) {
          const share = shares[below(4)] ?? assert.fail();
          const holding: HeldBytes = share.hold(() => held.delete(holding));
          held.set(holding, 0);
        } else if (below(4) === 0) {
          known.release();
          held.delete(known);
        } else {
          const bytes = below(60);
          if (known.take(bytes)) held.set(known, (held.get(known) ?? 0) + bytes);
        }
        const total = [...held.values()].reduce((sum, bytes) => sum + bytes, 0);
        assert.ok(total <= 100, `seed ${seed}: ${total}`);
      }
      for (const holding of held.keys()) holding.release();
      const all = budget.openShare().hold(notRevoked);
      assert.equal(all.take(100), true, `seed ${seed}`);
    }
  });
});
