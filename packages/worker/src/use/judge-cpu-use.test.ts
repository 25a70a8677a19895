import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { cpuUseRule } from "@opencomputer/protocol/wire";
import { type CpuUse, judgeCpuUse } from "./judge-cpu-use.ts";

const interval = cpuUseRule.intervalSeconds * 1000;
const threshold = (interval * cpuUseRule.percentMin) / 100;
const sample = (atMilliseconds: number, cpuMilliseconds: number, process = "one") => ({
  ...{ process, atMilliseconds, cpuMilliseconds },
});
const lastUse = (samples: readonly ReturnType<typeof sample>[]) =>
  samples.reduce<CpuUse | undefined>(judgeCpuUse, undefined)?.lastUsedAtMilliseconds;

describe("judgeCpuUse", () => {
  test("the first sample of a process counts as use", () => {
    assert.equal(lastUse([sample(5, 1_000_000)]), 5);
    assert.equal(
      lastUse([sample(0, 0), sample(interval, 0), sample(2 * interval, 0, "two")]),
      2 * interval,
    );
  });

  test("an interval at the threshold is use, one below it is not", () => {
    assert.equal(lastUse([sample(0, 0), sample(interval, threshold)]), interval);
    assert.equal(lastUse([sample(0, 0), sample(interval, threshold - 1)]), 0);
  });

  test("the share is that of the time that has really passed", () => {
    assert.equal(lastUse([sample(0, 0), sample(3 * interval, 3 * threshold)]), 3 * interval);
    assert.equal(lastUse([sample(0, 0), sample(3 * interval, 2 * threshold)]), 0);
  });

  test("a sample that comes too early is not judged, and not lost", () => {
    const early = sample(interval / 10, threshold);
    assert.equal(lastUse([sample(0, 0), early]), 0);
    assert.equal(lastUse([sample(0, 0), early, sample(interval, threshold)]), interval);
  });

  test("use that ends stays where it ended", () => {
    const samples = [sample(0, 0), sample(interval, interval), sample(2 * interval, interval)];
    assert.equal(lastUse(samples), interval);
  });
});
