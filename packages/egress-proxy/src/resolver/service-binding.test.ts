import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createSeededRandom } from "../testing/seeded-random.ts";
import { filterServiceBinding } from "./service-binding.ts";

const target = "\x03cdn\x04test\0";
const text = (value: string) => Buffer.from(value, "latin1");
const alpn = (...protocols: string[]) =>
  text(protocols.map((name) => String.fromCharCode(name.length) + name).join(""));

function binding(parameters: readonly (readonly [number, Buffer])[], name = "\0"): Buffer {
  const encoded = parameters.map(([key, value]) => {
    const head = Buffer.alloc(4);
    head.writeUInt16BE(key, 0);
    head.writeUInt16BE(value.length, 2);
    return Buffer.concat([head, value]);
  });
  return Buffer.concat([text(`\0\x01${name}`), ...encoded]);
}

const port = text("\x01\xbb");
const ech = text("an encrypted client hello");
const ipv4Hint = text("\x0a\0\0\x01");

describe("filterServiceBinding", () => {
  const cases: [string, Buffer, Buffer | undefined][] = [
    ["an alias", binding([], target), binding([], target)],
    [
      "protocols and port",
      binding([
        [1, alpn("h2")],
        [3, port],
      ]),
      binding([
        [1, alpn("h2")],
        [3, port],
      ]),
    ],
    ["an unknown parameter", binding([[7, text("/dns")]]), binding([[7, text("/dns")]])],
    [
      "ECH and hints",
      binding([
        [1, alpn("h2")],
        [4, ipv4Hint],
        [5, ech],
        [6, ech],
      ]),
      binding([[1, alpn("h2")]]),
    ],
    ["HTTP/3", binding([[1, alpn("h3", "h2", "h3-29")]]), binding([[1, alpn("h2")]])],
    ["HTTP/3 beside the default", binding([[1, alpn("h3")]]), binding([])],
    [
      "HTTP/3 alone",
      binding([
        [1, alpn("h3")],
        [2, text("")],
      ]),
      undefined,
    ],
    [
      "mandatory ECH",
      binding([
        [0, text("\0\x05")],
        [5, ech],
      ]),
      undefined,
    ],
    [
      "mandatory protocols",
      binding([
        [0, text("\0\x01")],
        [1, alpn("h2")],
      ]),
      binding([
        [0, text("\0\x01")],
        [1, alpn("h2")],
      ]),
    ],
    [
      "keys out of order",
      binding([
        [3, port],
        [1, alpn("h2")],
      ]),
      undefined,
    ],
    [
      "a key twice",
      binding([
        [3, port],
        [3, port],
      ]),
      undefined,
    ],
    ["an empty protocol", binding([[1, text("\0")]]), undefined],
    ["no target", text("\0\x01"), undefined],
    ["a compressed target", text("\0\x01\xc0\x0c"), undefined],
    ["a cut parameter", binding([[3, port]]).subarray(0, -1), undefined],
  ];
  for (const [what, data, expected] of cases) {
    test(`${what} ${expected === undefined ? "is dropped" : "is kept as expected"}`, () => {
      assert.deepEqual(filterServiceBinding(data), expected);
    });
  }

  test("random data never throws, and no result has a removed parameter", () => {
    const random = createSeededRandom(9460);
    for (let round = 0; round < 20_000; round += 1) {
      const parameters = Array.from({ length: random.below(4) }, (_, index) => {
        const value = random.bytes(random.below(6));
        return [index * 2 + random.below(3), value] as const;
      });
      const data = binding(parameters, random.below(2) === 0 ? "\0" : target);
      if (random.below(2) === 0) data[random.below(data.length)] = random.below(256);
      const filtered = filterServiceBinding(data.subarray(0, data.length - random.below(2)));
      if (filtered === undefined) continue;
      assert.deepEqual(filterServiceBinding(filtered), filtered, data.toString("hex"));
    }
  });
});
