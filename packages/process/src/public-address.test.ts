import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { cloudServiceRanges } from "@opencomputer/protocol/wire";
import { createAddressJudge } from "./public-address.ts";

/** RFC 6890 and the IANA special purpose registries: first, last and one in between. */
const refused = [
  "0.0.0.0 0.255.255.255",
  "10.0.0.0 10.1.2.3 10.255.255.255",
  "100.64.0.0 100.100.100.200 100.127.255.255",
  "127.0.0.1 127.255.255.255",
  "169.254.0.1 169.254.169.254 169.254.255.255",
  "172.16.0.0 172.31.255.255",
  "192.0.0.1 192.0.0.170",
  "192.0.2.1 192.88.99.1",
  "192.168.0.0 192.168.255.255",
  "198.18.0.0 198.18.4.1 198.19.255.255",
  "198.51.100.7 203.0.113.7",
  "224.0.0.1 239.255.255.255",
  "240.0.0.1 255.255.255.254 255.255.255.255",
  ":: ::1 ::7f00:1 ::10.0.0.1",
  "::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:a9fe:a9fe ::ffff:0.0.0.0",
  "::ffff:0:127.0.0.1 ::ffff:0:8.8.8.8",
  "64:ff9b::10.0.0.1 64:ff9b::a9fe:a9fe 64:ff9b:1::8.8.8.8",
  "100::1 100:0:0:1::1",
  "2001::1 2001:0:7f00:1:: 2001:2::1 2001:10::1 2001:20::1 2001:db8::1 3fff::1",
  "2002:7f00:1:: 2002:0a00:0001::1 2002:0808:0808::1",
  "5f00::1 4000::1 8000::1 e000::1",
  "fc00::1 fd00:ec2::254 fdff::1",
  "fe80::1 fe80::1%eth0 febf::1 fec0::1",
  "ff02::1 ff0e::1",
].flatMap((line) => line.split(" "));

const allowed: [string, string][] = [
  ["1.1.1.1", "1.1.1.1"],
  ["8.8.8.8", "8.8.8.8"],
  ["9.255.255.255", "9.255.255.255"],
  ["11.0.0.0", "11.0.0.0"],
  ["100.63.255.255", "100.63.255.255"],
  ["100.128.0.0", "100.128.0.0"],
  ["126.255.255.255", "126.255.255.255"],
  ["128.0.0.0", "128.0.0.0"],
  ["169.253.255.255", "169.253.255.255"],
  ["172.15.255.255", "172.15.255.255"],
  ["172.32.0.0", "172.32.0.0"],
  ["192.167.255.255", "192.167.255.255"],
  ["198.17.255.255", "198.17.255.255"],
  ["198.20.0.0", "198.20.0.0"],
  ["223.255.255.255", "223.255.255.255"],
  ["::ffff:8.8.8.8", "8.8.8.8"],
  ["64:ff9b::8.8.8.8", "64:ff9b::808:808"],
  ["2606:4700::1111", "2606:4700::1111"],
  ["2A00:1450:4001::200E", "2a00:1450:4001::200e"],
];

const noAddress = ["", "localhost", "1.2.3", "010.0.0.1", "0x7f.0.0.1", "2130706433", "1.1.1.1:80"];

const judgeAddress = createAddressJudge([]);

/** Marsaglia's xorshift32: integers from 0 up to `end`, the same for the same seed. */
function createSeededRandom(seed: number): (end: number) => number {
  let state = seed;
  return (end) => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % end;
  };
}

describe("createAddressJudge", () => {
  for (const text of refused) {
    test(`refuses ${text}`, () => assert.equal(judgeAddress(text).allowed, false));
  }
  for (const [text, address] of allowed) {
    test(`allows ${text} as ${address}`, () =>
      assert.deepEqual(judgeAddress(text), { allowed: true, address }));
  }
  for (const text of noAddress) {
    test(`refuses ${JSON.stringify(text)}, which is not an address`, () =>
      assert.deepEqual(judgeAddress(text), { allowed: false, range: "not an address" }));
  }

  test("fuzz: embedded IPv4 is never judged more leniently than plain IPv4", () => {
    const random = createSeededRandom(7);
    for (let round = 0; round < 20_000; round += 1) {
      const bytes = Array.from({ length: 4 }, () => random(256));
      const [a = 0, b = 0, c = 0, d = 0] = bytes;
      const plain = judgeAddress(bytes.join(".")).allowed;
      const high = ((a << 8) | b).toString(16);
      const low = ((c << 8) | d).toString(16);
      assert.equal(judgeAddress(`::ffff:${high}:${low}`).allowed, plain);
      assert.equal(judgeAddress(`64:ff9b::${high}:${low}`).allowed, plain);
      assert.equal(judgeAddress(`2002:${high}:${low}::1`).allowed, false);
      assert.equal(judgeAddress(`::${high}:${low}`).allowed, false);
    }
  });

  test("fuzz: an allowed address is returned as itself", () => {
    const random = createSeededRandom(8);
    for (let round = 0; round < 20_000; round += 1) {
      const groups = Array.from({ length: 8 }, () => random(0x1_0000).toString(16));
      const verdict = judgeAddress(groups.join(":"));
      if (verdict.allowed) assert.deepEqual(judgeAddress(verdict.address), verdict);
    }
  });

  const denied: [string, boolean][] = [
    ["168.63.129.16", false],
    ["::ffff:168.63.129.16", false],
    ["64:ff9b::168.63.129.16", false],
    ["168.63.129.17", true],
    ["9.9.9.0", false],
    ["9.9.9.255", false],
    ["9.9.10.0", true],
    ["2606:4700::1", false],
    ["2606:4700:ffff::1", false],
    ["2606:4701::1", true],
  ];
  const judgeWithDenied = createAddressJudge([
    ...cloudServiceRanges,
    "9.9.9.0/24",
    "2606:4700::/32",
  ]);
  for (const [text, isAllowed] of denied) {
    test(`${isAllowed ? "allows" : "refuses"} ${text} next to denied ranges`, () =>
      assert.equal(judgeWithDenied(text).allowed, isAllowed));
  }

  const judgeWithOpened = createAddressJudge(["10.0.0.0/8"], ["10.1.0.0/16", "fd00::/64"]);
  for (const [text, address] of [
    ["10.1.2.3", "10.1.2.3"],
    ["::ffff:10.1.2.3", "10.1.2.3"],
    ["fd00::1", "fd00::1"],
    ["10.2.0.1", undefined],
    ["127.0.0.1", undefined],
    ["fd00:0:0:1::1", undefined],
  ] as const) {
    test(`${address === undefined ? "refuses" : "allows"} ${text} next to opened ranges`, () => {
      const verdict = judgeWithOpened(text);
      assert.equal(verdict.allowed ? verdict.address : undefined, address);
    });
  }
});
