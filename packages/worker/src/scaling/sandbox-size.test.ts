import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { initialScaling } from "@opencomputer/protocol/wire";
import { guestLimitsOf, guestMemoryMBMax, smallestMemoryMB } from "./sandbox-size.ts";

const mebi = 1024 * 1024;

describe("guestLimitsOf", () => {
  test("leaves a sixteenth to the agent, and has no CPU limit unless one was set", () => {
    assert.deepEqual(guestLimitsOf({ cpuCount: 2, memoryMB: 1024 }), {
      memoryBytesMax: 960 * mebi,
      processCountMax: 4096,
      cpuPercentMax: 0,
    });
    const scaling = { ...initialScaling(1024), cpuPercent: 150 };
    assert.equal(guestLimitsOf({ cpuCount: 2, memoryMB: 1024, scaling }).cpuPercentMax, 150);
  });
});

describe("smallestMemoryMB", () => {
  test("is the smallest size whose limit the use fits", () => {
    for (let memoryMB = 257; memoryMB < 16384; memoryMB += 97) {
      const { memoryBytesMax } = guestLimitsOf({ cpuCount: 1, memoryMB });
      assert.equal(smallestMemoryMB(memoryBytesMax), memoryMB);
      assert.equal(smallestMemoryMB(memoryBytesMax + 1), Math.min(16384, memoryMB + 1));
    }
  });

  test("is within the sizes that there are", () => {
    assert.equal(smallestMemoryMB(0), 256);
    assert.equal(smallestMemoryMB(2 ** 50), 16384);
  });
});

describe("guestMemoryMBMax", () => {
  const scaling = initialScaling(2048);
  const bounds = { minMemoryMB: 512, maxMemoryMB: 4096 };
  const cases: [string, Parameters<typeof guestMemoryMBMax>[0]["scaling"], number][] = [
    ["what the sandbox was created with", undefined, 1024],
    ["what its owner chose last", scaling, 2048],
    ["the bound of autoscale", { ...scaling, autoscale: { enabled: true, ...bounds } }, 4096],
    [
      "not the bound once it is off",
      { ...scaling, autoscale: { enabled: false, ...bounds } },
      2048,
    ],
  ];
  for (const [what, given, expected] of cases) {
    test(what, () => {
      const spec = { cpuCount: 1, memoryMB: 1024, ...(given ? { scaling: given } : {}) };
      assert.equal(guestMemoryMBMax(spec), expected);
    });
  }
});
