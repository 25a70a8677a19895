import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { serviceLimits } from "@opencomputer/protocol/wire";
import { createBodyBudgets } from "./body-budgets.ts";

const mebibyte = 1024 * 1024;

describe("createBodyBudgets", () => {
  test("thirty stalled bodies of 1 MiB of one sandbox do not affect another's", () => {
    const budgets = createBodyBudgets({
      bytesPerSandboxMax: serviceLimits.measuredBodyBytesPerSandboxMax,
    });
    const stalled = Array.from({ length: 30 }, () => budgets.of("one").tryTake(mebibyte));
    assert.equal(stalled.filter(Boolean).length, 27);
    assert.ok(budgets.of("other").tryTake(10));
    for (let index = 0; index < 3; index += 1) assert.ok(budgets.of("other").tryTake(mebibyte));
  });

  test("bytes given back can be taken again, through any object of the same budget", () => {
    const budgets = createBodyBudgets({ bytesPerSandboxMax: 100 });
    const budget = budgets.of("one");
    assert.ok(budget.tryTake(100));
    assert.ok(!budgets.of("one").tryTake(1));
    budgets.of("one").give(40);
    assert.ok(budget.tryTake(40));
    assert.ok(!budget.tryTake(1));
  });

  test("a sandbox that has taken nothing uses no memory", () => {
    const budgets = createBodyBudgets({ bytesPerSandboxMax: 100 });
    const budget = budgets.of("one");
    assert.ok(budget.tryTake(0));
    assert.ok(!budget.tryTake(101));
    assert.equal(budgets.count, 0);
    budget.tryTake(60);
    assert.equal(budgets.count, 1);
    budget.give(60);
    assert.equal(budgets.count, 0);
  });
});
