import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseNetworkBlock } from "./network-block.ts";

describe("parseNetworkBlock", () => {
  test("gives the first address to the proxy and a /30 to each slot", () => {
    const block = parseNetworkBlock("198.18.4.0/22");
    assert.equal(block.egressAddress, "198.18.4.1");
    assert.equal(block.slotCount, 255);
    assert.deepEqual(block.slotAddresses(0), {
      hostAddress: "198.18.4.5",
      slotAddress: "198.18.4.6",
    });
    assert.deepEqual(block.slotAddresses(254), {
      hostAddress: "198.18.7.253",
      slotAddress: "198.18.7.254",
    });
  });

  test("refuses an index past the block's end", () => {
    const block = parseNetworkBlock("198.18.4.0/22");
    for (const index of [-1, 255, 1.5, Number.NaN]) {
      assert.throws(() => block.slotAddresses(index), /must be below 255/);
    }
  });

  test("has at most a thousand slots, whose numbers fit an interface name", () => {
    assert.equal(parseNetworkBlock("198.18.0.0/16").slotCount, 1000);
  });

  const malformed = [
    "",
    "198.18.4.0",
    "198.18.4.0/33",
    "198.18.4.0/8",
    "198.18.4.0/30",
    "198.18.4.1/22",
    "198.18.5.0/22",
    "198.18.256.0/22",
    "a.b.c.d/22",
    "198.18.4.0/22; flush ruleset",
  ];
  for (const text of malformed) {
    test(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseNetworkBlock(text), RangeError);
    });
  }
});
