import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createByteBudget, withDeadline } from "./guest-bounds.ts";

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

describe("createByteBudget", () => {
  test("gives no more than it has, and what was given back again", () => {
    const budget = createByteBudget(10);
    assert.equal(budget.take(6), true);
    assert.equal(budget.take(5), false);
    assert.equal(budget.take(4), true);
    budget.giveBack(6);
    assert.equal(budget.take(7), false);
    assert.equal(budget.take(6), true);
  });
});
