import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseNetworkBlock } from "./network-block.ts";
import { slotAt } from "./slot.ts";

const block = parseNetworkBlock("198.18.0.0/16");

describe("slotAt", () => {
  test("keeps every name within the 15 characters of an interface", () => {
    for (const index of [0, 9, 99, 999]) {
      assert.ok(slotAt("ffffffff", block, index).name.length <= 15);
    }
  });

  test("gives no user to two slots, nor to two installations", () => {
    const users = new Set<number>();
    for (const installation of ["00000000", "00000001", "0003ffff"]) {
      for (let index = 0; index < block.slotCount; index += 1) {
        users.add(slotAt(installation, block, index).userId);
      }
    }
    assert.equal(users.size, 3 * block.slotCount);
  });

  test("gives users that are above every account's and below 2^31", () => {
    for (const installation of ["00000000", "ffffffff"]) {
      const { userId } = slotAt(installation, block, block.slotCount - 1);
      assert.ok(userId >= 2 ** 29 && userId < 2 ** 31);
    }
  });
});
