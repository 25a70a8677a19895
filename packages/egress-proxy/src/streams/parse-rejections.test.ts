import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createSeededRandom } from "../testing/seeded-random.ts";
import { parseRejections } from "./parse-rejections.ts";

/** A datagram as Linux 6.18 sent it: a SYN of 198.19.250.2 to port 5432. */
const recorded = Buffer.from(
  "b40000000004000000000000000000000200004d080001000800010005000a00000000000800040000000002100008000006000042cf46ccdd8a000006000f000001000006001100000e00001200100046e99e580f1642cf46ccdd8a0800000014000300000000006b0d1cf100000000000244bd400009004500003c14d840004006a5b8c613fa02c613fa0199041538e60f6c1900000000a002faf0805a0000020405b40402080a8fc401d9000000000103030a",
  "hex",
);
const rejection = { sourceAddress: "198.19.250.2", port: 5432 };

describe("parseRejections", () => {
  test("finds the source and the port of each packet", () => {
    assert.deepEqual(parseRejections(recorded), [rejection]);
    assert.deepEqual(parseRejections(Buffer.concat([recorded, recorded])), [rejection, rejection]);
  });

  test("skips other messages and what is cut", () => {
    const other = Buffer.from(recorded);
    other.writeUInt16LE(2, 4);
    assert.deepEqual(parseRejections(Buffer.concat([other, recorded])), [rejection]);
    assert.deepEqual(parseRejections(recorded.subarray(0, -1)), []);
    assert.deepEqual(parseRejections(Buffer.alloc(0)), []);
    const udp = Buffer.from(recorded);
    udp.writeUInt8(17, recorded.length - 60 + 9);
    assert.deepEqual(parseRejections(udp), []);
  });

  test("random bytes never throw, and give valid ports", () => {
    const random = createSeededRandom(515);
    for (let round = 0; round < 20_000; round += 1) {
      const datagram = Buffer.from(recorded);
      for (let change = random.below(6); change >= 0; change -= 1) {
        datagram[random.below(datagram.length)] = random.below(256);
      }
      for (const { sourceAddress, port } of parseRejections(
        datagram.subarray(0, datagram.length - random.below(30)),
      )) {
        assert.match(sourceAddress, /^\d+\.\d+\.\d+\.\d+$/);
        assert.ok(port >= 0 && port <= 65_535);
      }
    }
  });
});
