import assert from "node:assert/strict";
import { test } from "node:test";
import { cpuMillisecondsOf } from "./cpu-time.ts";

test("cpuMillisecondsOf adds user and system time, whatever the name of the program holds", () => {
  const stat = "7 (qemu (x) y) S 1 7 7 0 -1 4194560 1 2 3 4 12 30 5 6 20 0 9 0 4242 1";
  assert.equal(cpuMillisecondsOf(stat), 420);
  assert.equal(cpuMillisecondsOf(""), undefined);
  assert.equal(cpuMillisecondsOf("7 (x) S 1"), undefined);
});
