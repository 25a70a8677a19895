import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCpuSeconds } from "./process-time.ts";

const fields = "S 1 10 10 0 -1 4194560 100 0 0 0 250 50 7 8 20 0 12 0 1000";

test("parseCpuSeconds adds user and kernel time of the process alone", () => {
  assert.equal(parseCpuSeconds(`42 (node) ${fields}`), 3);
});

test("parseCpuSeconds reads past a name with spaces and parentheses", () => {
  assert.equal(parseCpuSeconds(`42 (a) S (b) 1) ${fields}`), 3);
});

test("parseCpuSeconds throws for text that is no process", () => {
  assert.throws(() => parseCpuSeconds("42 (node)"), /times of a process/);
});
