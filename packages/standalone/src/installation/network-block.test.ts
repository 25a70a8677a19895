import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { chooseNetworkBlock, egressAddressOf, networkBlock } from "./network-block.ts";

describe("networkBlock", () => {
  for (const [index, expected] of [
    [0, "198.18.0.0/22"],
    [1, "198.18.4.0/22"],
    [63, "198.18.252.0/22"],
    [64, "198.19.0.0/22"],
    [127, "198.19.252.0/22"],
  ] as const) {
    test(`${index} is ${expected}`, () => assert.equal(networkBlock(index), expected));
  }
});

describe("chooseNetworkBlock", () => {
  test("takes the block that the installation's id selects", () => {
    assert.equal(chooseNetworkBlock("00000001", []), "198.18.4.0/22");
  });

  test("skips a block that a route of the host overlaps", () => {
    const routes = ["default", "198.18.4.1", "198.18.10.4/30"];
    assert.equal(chooseNetworkBlock("00000001", routes), "198.18.12.0/22");
  });

  test("fails when every block is taken", () => {
    const routes = Array.from({ length: 128 }, (_, index) => networkBlock(index));
    assert.throws(() => chooseNetworkBlock("00000001", routes), /All 128 network blocks/);
  });
});

test("egressAddressOf is the first address of the block", () => {
  assert.equal(egressAddressOf("198.18.4.0/22"), "198.18.4.1");
});
