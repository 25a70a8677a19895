import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { FairTurns } from "./fair-turns.ts";

const create = () => new FairTurns({ workPerTurnMax: 3 });

describe("FairTurns", () => {
  test("begins so much work of a sandbox at once, and the rest in later turns, in its order", async () => {
    const turns = create();
    const begun: number[] = [];
    for (let work = 0; work < 8; work += 1) {
      const turn = turns.take("sb-a", 1);
      if (turn === undefined) begun.push(work);
      else void turn.then(() => begun.push(work));
    }
    assert.deepEqual(begun, [0, 1, 2]);
    await nextTurn();
    assert.deepEqual(begun, [0, 1, 2, 3, 4, 5]);
    await nextTurn();
    assert.deepEqual(begun, [0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test("no sandbox waits for another", async () => {
    const turns = create();
    for (let work = 0; work < 100; work += 1) void turns.take("sb-a", 1);
    assert.notEqual(turns.take("sb-a", 1), undefined);
    assert.equal(turns.take("sb-b", 1), undefined);
    await nextTurn();
    assert.equal(turns.take("sb-b", 1), undefined);
    assert.notEqual(turns.take("sb-a", 1), undefined);
  });

  test("what takes longer than a turn is paid for by later ones", async () => {
    const turns = create();
    assert.equal(turns.take("sb-a", 9), undefined);
    let begun = false;
    void turns.take("sb-a", 1)?.then(() => {
      begun = true;
    });
    await nextTurn();
    await nextTurn();
    assert.equal(begun, false);
    await nextTurn();
    assert.equal(begun, true);
  });

  test("keeps nothing of a sandbox that has nothing to be done", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const turns = create();
    for (let work = 0; work < 5; work += 1) void turns.take("sb-a", 1);
    void turns.take("sb-b", 1);
    t.mock.timers.tick(1_000);
    assert.equal(turns.size, 1);
    await nextTurn();
    t.mock.timers.tick(1_000);
    assert.equal(turns.size, 0);
  });
});
