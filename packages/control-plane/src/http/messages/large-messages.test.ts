import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createLargeMessages } from "./large-messages.ts";

describe("createLargeMessages", () => {
  function scenario(bytesTotalMax: number) {
    const large = createLargeMessages({ bytesTotalMax });
    const dropped: string[] = [];
    const add = (orgId: string, name: string, bytes: number) =>
      large.add(orgId, { bytes, drop: () => dropped.push(name) });
    return { add, dropped };
  }

  test("drops the oldest of the org that has the most", () => {
    const { add, dropped } = scenario(10);
    add("a", "a1", 3);
    add("a", "a2", 3);
    add("b", "b1", 4);
    assert.deepEqual(dropped, []);
    add("b", "b2", 1);
    assert.deepEqual(dropped, ["a1"]);
    add("b", "b3", 9);
    assert.deepEqual(dropped, ["a1", "b1", "b2"], "the last is not for others to pay for");
  });

  test("what is complete counts no more, and one alone may be of any size", () => {
    const { add, dropped } = scenario(10);
    add("a", "a1", 8)();
    add("a", "a2", 8)();
    add("a", "a3", 100);
    assert.deepEqual(dropped, []);
    add("a", "a4", 1);
    assert.deepEqual(dropped, ["a3"]);
  });
});
