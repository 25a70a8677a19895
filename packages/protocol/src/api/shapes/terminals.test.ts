import assert from "node:assert/strict";
import { test } from "node:test";
import { exitCodeOfClose, terminalSizeSchema } from "./terminals.ts";

test("exitCodeOfClose reads the reason of a normal close, and nothing else", () => {
  assert.equal(exitCodeOfClose(1000, "exit code 0"), 0);
  assert.equal(exitCodeOfClose(1000, "exit code 143"), 143);
  assert.equal(exitCodeOfClose(1000, "exit code -1"), -1);
  const others: [number, string][] = [
    [1000, ""],
    [1000, "exit code"],
    [1000, "exit code 1 "],
    [1000, "exit code 1e9"],
    [1000, "exec completed"],
    [1001, "exit code 0"],
    [1006, ""],
  ];
  for (const [code, reason] of others) assert.equal(exitCodeOfClose(code, reason), undefined);
});

test("terminalSizeSchema takes 1 to 1000 whole characters", () => {
  assert.ok(terminalSizeSchema.safeParse({ cols: 1, rows: 1000 }).success);
  for (const wrong of [0, -1, 1001, 10_000, 1.5, Number.NaN, "80", null, undefined]) {
    assert.ok(!terminalSizeSchema.safeParse({ cols: wrong, rows: 24 }).success, String(wrong));
    assert.ok(!terminalSizeSchema.safeParse({ cols: 80, rows: wrong }).success, String(wrong));
  }
});
