import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { limits } from "@opencomputer/protocol/api";
import { createSeededRandom } from "../testing/seeded-random.ts";
import { cpuPercentSince, type MachineCounters, usageSince } from "./usage-since.ts";

const startedAt = "2026-01-02T03:50:00.000Z";
const at = (time: string) => new Date(`2026-01-02T${time}Z`);
const mebi = 1024 * 1024;

function counters(change: Partial<MachineCounters> = {}): MachineCounters {
  return {
    readAt: at("03:51:00"),
    cpuMilliseconds: 6000,
    memoryBytes: 100 * mebi,
    networkReceivedBytes: 600,
    networkSentBytes: 60,
    ...change,
  };
}
const reading = (change: Partial<MachineCounters> = {}) => ({
  ...{ startedAt, diskBytes: 5000 },
  ...counters(change),
});

describe("usageSince", () => {
  test("the first reading has all since the start of the machine", () => {
    assert.deepEqual(usageSince(undefined, reading()), [
      {
        ...{ startsAt: at("03:00:00"), runningMilliseconds: 60_000, cpuMilliseconds: 6000 },
        ...{ memoryMBSeconds: 6000, memoryPeakBytes: 100 * mebi, diskPeakBytes: 5000 },
        ...{ networkReceivedBytes: 600, networkSentBytes: 60 },
      },
    ]);
  });

  test("a later one has what was added, and the average of memory", () => {
    const later = reading({
      ...{ readAt: at("03:52:00"), cpuMilliseconds: 6500, memoryBytes: 200 * mebi },
      ...{ networkReceivedBytes: 601, networkSentBytes: 60 },
    });
    const [used, ...others] = usageSince(counters(), later);
    assert.deepEqual(others, []);
    assert.deepEqual(
      [used?.runningMilliseconds, used?.cpuMilliseconds, used?.memoryMBSeconds],
      [60_000, 500, 9000],
    );
    assert.deepEqual([used?.networkReceivedBytes, used?.networkSentBytes], [1, 0]);
  });

  test("each hour of a longer time has its share, and their sum is the whole", () => {
    const later = reading({ readAt: at("06:21:00"), cpuMilliseconds: 6000 + 9001 });
    const used = usageSince(counters(), later);
    assert.deepEqual(
      used.map(({ startsAt, runningMilliseconds }) => [startsAt, runningMilliseconds]),
      [
        [at("03:00:00"), 9 * 60_000],
        [at("04:00:00"), 3600_000],
        [at("05:00:00"), 3600_000],
        [at("06:00:00"), 21 * 60_000],
      ],
    );
    assert.equal(
      used.reduce((sum, { cpuMilliseconds }) => sum + cpuMilliseconds, 0),
      9001,
    );
  });

  test("no part of a time that hours are not kept for is lost", () => {
    const later = reading({ readAt: new Date("2026-03-01T00:00:00Z"), cpuMilliseconds: 106_000 });
    const used = usageSince(counters(), later);
    assert.equal(used.length, limits.usageHourDaysMax * 24);
    assert.equal(
      used.reduce((sum, { cpuMilliseconds }) => sum + cpuMilliseconds, 0),
      100_000,
    );
  });

  test("a reading that is no news has none, and counters that went back count as unchanged", () => {
    assert.deepEqual(usageSince(counters(), reading()), []);
    assert.deepEqual(usageSince(counters(), reading({ readAt: at("03:50:30") })), []);
    const smaller = reading({
      ...{ readAt: at("03:51:01"), cpuMilliseconds: 1, networkReceivedBytes: 1 },
    });
    const [used] = usageSince(counters(), smaller);
    assert.deepEqual([used?.cpuMilliseconds, used?.networkReceivedBytes], [0, 0]);
  });

  test("a machine that was read at its start, or by a clock that went back, has its counters", () => {
    for (const readAt of [new Date(startedAt), at("03:00:00")]) {
      const [used] = usageSince(undefined, reading({ readAt }));
      assert.deepEqual([used?.runningMilliseconds, used?.cpuMilliseconds], [0, 6000]);
    }
  });

  test("whatever a machine does, sums are whole and exact, and nothing is negative", () => {
    const random = createSeededRandom("usage");
    const below = (limit: number) => Math.floor(random() * limit);
    for (let round = 0; round < 300; round += 1) {
      let before: MachineCounters | undefined;
      let now = reading({ readAt: new Date(startedAt), cpuMilliseconds: 0, networkSentBytes: 0 });
      const sum = { runningMilliseconds: 0, cpuMilliseconds: 0, networkSentBytes: 0 };
      for (let step = 0; step < 10; step += 1) {
        now = {
          ...now,
          readAt: new Date(now.readAt.getTime() + below(3 * 3600_000)),
          cpuMilliseconds: now.cpuMilliseconds + below(1e6),
          networkSentBytes: now.networkSentBytes + below(1e12),
          memoryBytes: below(1e10),
        };
        for (const used of usageSince(before, now)) {
          for (const value of Object.values(used)) {
            if (typeof value === "number") assert.ok(Number.isSafeInteger(value) && value >= 0);
          }
          sum.runningMilliseconds += used.runningMilliseconds;
          sum.cpuMilliseconds += used.cpuMilliseconds;
          sum.networkSentBytes += used.networkSentBytes;
        }
        before = now;
      }
      assert.equal(sum.runningMilliseconds, now.readAt.getTime() - Date.parse(startedAt));
      assert.equal(sum.cpuMilliseconds, now.cpuMilliseconds);
      assert.equal(sum.networkSentBytes, now.networkSentBytes);
    }
  });
});

describe("cpuPercentSince", () => {
  test("is of the time between two readings, or since the start", () => {
    assert.equal(cpuPercentSince(undefined, reading()), 10);
    const later = reading({ readAt: at("03:51:30"), cpuMilliseconds: 66_000 });
    assert.equal(cpuPercentSince(counters(), later), 200);
    const soon = reading({ readAt: at("03:51:00.100") });
    assert.equal(cpuPercentSince(counters(), soon), undefined);
  });
});
