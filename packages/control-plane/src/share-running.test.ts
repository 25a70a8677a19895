import assert from "node:assert/strict";
import { test } from "node:test";
import { shareRunning } from "./share-running.ts";

test("shareRunning: calls during a run share it, the next call begins another, also after a failure", async () => {
  let runs = 0;
  const shared = shareRunning(async () => {
    runs += 1;
    await new Promise(setImmediate);
    if (runs === 1) throw new Error("first");
  });
  const [first, second] = [shared(), shared()];
  assert.equal(first, second);
  await assert.rejects(first, /first/);
  await shared();
  assert.equal(runs, 2);
});
