import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { UsageQuery } from "@opencomputer/protocol/api";
import { usagePeriodOf } from "./usage-period.ts";

const now = new Date("2026-01-20T10:20:30.456Z");
const periodOf = (query: UsageQuery) => {
  const { since, until, interval } = usagePeriodOf(query, now);
  return [since.toISOString(), until.toISOString(), interval];
};

describe("usagePeriodOf", () => {
  test("is the last 24 hours in whole hours by default", () => {
    const last = ["2026-01-19T10:00:00.000Z", "2026-01-20T11:00:00.000Z", "hour"];
    assert.deepEqual(periodOf({}), last);
  });

  test("is of hours as long as these are kept, otherwise of days", () => {
    const edge = "2026-01-13T00:00:00.000Z";
    assert.deepEqual(periodOf({ since: edge }), [edge, "2026-01-20T11:00:00.000Z", "hour"]);
    assert.deepEqual(periodOf({ since: "2026-01-12T23:59:59.999Z" }), [
      ...["2026-01-12T00:00:00.000Z", "2026-01-21T00:00:00.000Z", "day"],
    ]);
    assert.deepEqual(periodOf({ interval: "day" }), [
      ...["2026-01-19T00:00:00.000Z", "2026-01-21T00:00:00.000Z", "day"],
    ]);
    const early = { until: "2026-01-02T00:00:00Z" };
    assert.deepEqual(periodOf(early), [
      ...["2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z", "day"],
    ]);
  });

  const refused: [string, UsageQuery, RegExp][] = [
    ["a time that ends before it begins", { since: now.toISOString() }, /before until/],
    [
      "an empty time",
      { since: "2026-01-20T10:20:30.456Z", until: "2026-01-20T10:20:30.456Z" },
      /before until/,
    ],
    [
      "hours that are not kept",
      { since: "2026-01-12T23:59:59Z", interval: "hour" },
      /kept for 7 days/,
    ],
  ];
  for (const [what, query, reason] of refused) {
    test(`refuses ${what}`, () => {
      assert.throws(
        () => periodOf(query),
        (error: unknown) => {
          assert.ok(error instanceof Error && "code" in error);
          assert.equal(error.code, "invalid_request");
          assert.match(error.message, reason);
          return true;
        },
      );
    });
  }
});
