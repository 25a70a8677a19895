import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type AutoscaleEvidence, autoscale, noEvidence } from "./autoscale-rule.ts";

const mebi = 1024 * 1024;
const bounds = { minMemoryMB: 512, maxMemoryMB: 4096 };

/** Sizes after each reading, `used` being a part of the memory of that moment or a fixed number of MB. */
function run(options: {
  memoryMB: number;
  readings: readonly ({ part: number } | { usedMB: number })[];
  bounds?: typeof bounds;
}): number[] {
  let evidence: AutoscaleEvidence = noEvidence;
  let { memoryMB } = options;
  return options.readings.map((reading) => {
    const usedMB = "part" in reading ? reading.part * memoryMB : reading.usedMB;
    const next = autoscale(
      evidence,
      { memoryMB, memoryUsedBytes: usedMB * mebi },
      options.bounds ?? bounds,
    );
    ({ evidence, memoryMB } = next);
    return memoryMB;
  });
}

const repeat = <Value>(value: Value, count: number) => Array<Value>(count).fill(value);

describe("autoscale", () => {
  test("doubles after two readings above 80 %", () => {
    const readings = repeat({ part: 0.81 }, 5);
    assert.deepEqual(run({ memoryMB: 1024, readings }), [1024, 2048, 2048, 4096, 4096]);
  });

  test("one reading above 80 %, or exactly 80 %, changes nothing", () => {
    assert.deepEqual(
      run({
        memoryMB: 1024,
        readings: [{ part: 0.9 }, { part: 0.5 }, { part: 0.9 }, { part: 0.8 }],
      }),
      [1024, 1024, 1024, 1024],
    );
  });

  test("never grows over the upper bound", () => {
    assert.equal(run({ memoryMB: 3072, readings: repeat({ part: 1 }, 10) }).at(-1), 4096);
  });

  test("halves after a minute below 30 %, and again after another", () => {
    const sizes = run({ memoryMB: 4096, readings: repeat({ usedMB: 100 }, 61) });
    assert.deepEqual([sizes[28], sizes[29], sizes[58], sizes[59]], [4096, 2048, 2048, 1024]);
  });

  test("one reading above 30 % restarts the minute", () => {
    const readings = [...repeat({ part: 0.1 }, 29), { part: 0.4 }, ...repeat({ part: 0.1 }, 29)];
    assert.equal(run({ memoryMB: 4096, readings }).at(-1), 4096);
  });

  test("never shrinks below the lower bound", () => {
    assert.equal(run({ memoryMB: 768, readings: repeat({ usedMB: 1 }, 200) }).at(-1), 512);
  });

  test("a steady use comes to rest, whatever it is", () => {
    for (let usedMB = 0; usedMB <= 4096; usedMB += 64) {
      const sizes = run({ memoryMB: 1024, readings: repeat({ usedMB }, 300) });
      const late = new Set(sizes.slice(200));
      assert.equal(late.size, 1, `${usedMB} MB used: ${[...late].join(", ")}`);
    }
  });

  test("a size below the bounds grows to the lower one at once", () => {
    assert.deepEqual(run({ memoryMB: 256, readings: [{ usedMB: 0 }] }), [512]);
  });

  test("a size above the bounds shrinks to the upper one when the use permits", () => {
    assert.deepEqual(
      run({ memoryMB: 8192, readings: [{ usedMB: 3000 }, { usedMB: 2000 }] }),
      [8192, 4096],
    );
  });

  test("whatever a guest reports, the size stays within the bounds", () => {
    for (const usedMB of [-1, 1e12, Number.MAX_SAFE_INTEGER / mebi]) {
      for (const memoryMB of run({ memoryMB: 1024, readings: repeat({ usedMB }, 100) })) {
        assert.ok(memoryMB >= bounds.minMemoryMB && memoryMB <= bounds.maxMemoryMB);
      }
    }
  });
});
