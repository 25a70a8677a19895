import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { StreamCounts } from "./stream-counts.ts";

describe("StreamCounts", () => {
  test("allows an address as many streams as the bound, and no more", () => {
    const counts = new StreamCounts({ perAddressMax: 2 });
    assert.deepEqual(
      [counts.tryTake("10.0.0.1"), counts.tryTake("10.0.0.1"), counts.tryTake("10.0.0.1")],
      [true, true, false],
    );
    assert.ok(counts.tryTake("10.0.0.2"));
  });

  test("allows one more for each that was given back", () => {
    const counts = new StreamCounts({ perAddressMax: 1 });
    assert.ok(counts.tryTake("10.0.0.1"));
    counts.give("10.0.0.1");
    assert.ok(counts.tryTake("10.0.0.1"));
    assert.ok(!counts.tryTake("10.0.0.1"));
  });
});
