import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createByteBudget } from "./byte-budget.ts";

describe("createByteBudget", () => {
  test("gives no more than it has, and again what was given back", () => {
    const budget = createByteBudget(10);
    assert.equal(budget.take(6), true);
    assert.equal(budget.take(5), false);
    assert.equal(budget.take(4), true);
    budget.giveBack(6);
    assert.equal(budget.take(7), false);
    assert.equal(budget.take(6), true);
  });
});
