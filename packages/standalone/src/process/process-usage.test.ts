import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ownUsage, parseProcessUsage, readProcessUsage } from "./process-usage.ts";

describe("parseProcessUsage", () => {
  const ticks = "0 0 0 0 0 0 0 0 0 0";
  const status = "Name:\tnode\nVmRSS:\t    2048 kB\n";

  test("adds the time as user and in the kernel, whatever the command is called", () => {
    const stat = `17 (a) S (b) S ${ticks} 150 25 3 4 20 0\n`;
    assert.deepEqual(parseProcessUsage("host", { stat, status }), {
      ...{ name: "host", cpuSeconds: 1.75, residentMemoryBytes: 2048 * 1024 },
    });
  });

  test("is undefined for a process without memory, and for anything else", () => {
    const stat = `17 (node) Z ${ticks} 150 25\n`;
    assert.equal(parseProcessUsage("host", { stat, status: "Name:\tnode\n" }), undefined);
    assert.equal(parseProcessUsage("host", { stat: "", status }), undefined);
  });
});

test("readProcessUsage agrees with what a process knows of itself; one that has ended has none", async () => {
  const own = ownUsage("own");
  const read = await readProcessUsage("own", process.pid);
  assert.ok(read !== undefined);
  assert.ok(Math.abs(read.cpuSeconds - own.cpuSeconds) < 0.5);
  assert.ok(Math.abs(read.residentMemoryBytes / own.residentMemoryBytes - 1) < 0.2);
  assert.equal(await readProcessUsage("none", 2 ** 22 + 1), undefined);
});
