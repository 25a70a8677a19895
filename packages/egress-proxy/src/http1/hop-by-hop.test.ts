import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Field } from "./fields.ts";
import { connectionOptions, isHopByHop, upgradeProtocol, wantsTrailers } from "./hop-by-hop.ts";

function fields(...pairs: readonly [string, string][]): Field[] {
  return pairs.map(([name, value]) => ({ name, lowerName: name.toLowerCase(), value }));
}

describe("isHopByHop", () => {
  const options = connectionOptions(
    fields(["Connection", "X-One, keep-alive"], ["connection", "x-two"]),
  );
  const cases: [string, boolean][] = [
    ["x-one", true],
    ["x-two", true],
    ["x-three", false],
    ["connection", true],
    ["keep-alive", true],
    ["proxy-authorization", true],
    ["proxy-connection", true],
    ["te", true],
    ["transfer-encoding", true],
    ["upgrade", true],
    ["authorization", false],
    ["trailer", false],
  ];
  for (const [name, expected] of cases) {
    test(`${name}: ${expected}`, () => assert.equal(isHopByHop(name, options), expected));
  }
});

describe("upgradeProtocol", () => {
  const cases: { upgrade: string; connection: string; protocol: string | undefined }[] = [
    { upgrade: "websocket", connection: "Upgrade", protocol: "websocket" },
    { upgrade: "websocket", connection: "keep-alive, Upgrade", protocol: "websocket" },
    { upgrade: "SPDY/3.1", connection: "upgrade", protocol: "SPDY/3.1" },
    { upgrade: "websocket", connection: "keep-alive", protocol: undefined },
    { upgrade: "h2c", connection: "Upgrade", protocol: undefined },
    { upgrade: "HTTP/2.0", connection: "Upgrade", protocol: undefined },
    { upgrade: "TLS/1.0", connection: "Upgrade", protocol: undefined },
    { upgrade: "websocket, h2c", connection: "Upgrade", protocol: undefined },
  ];
  for (const { upgrade, connection, protocol } of cases) {
    test(`${upgrade} with Connection: ${connection} is ${protocol}`, () => {
      const given = fields(["Upgrade", upgrade], ["Connection", connection]);
      assert.equal(upgradeProtocol(given, connectionOptions(given)), protocol);
    });
  }
});

test("wantsTrailers sees trailers and nothing else in TE", () => {
  assert.equal(wantsTrailers(fields(["TE", "gzip, Trailers"])), true);
  assert.equal(wantsTrailers(fields(["TE", "gzip"])), false);
  assert.equal(wantsTrailers([]), false);
});
