import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Field } from "./fields.ts";
import { connectionOptions, isHopByHop, upgradeProtocol, wantsTrailers } from "./hop-by-hop.ts";

function fields(...pairs: readonly [string, string][]): Field[] {
  return pairs.map(([name, value]) => ({ name, lowerName: name.toLowerCase(), value }));
}

describe("isHopByHop", () => {
  const cases: [string, boolean][] = [
    ["connection", true],
    ["http2-settings", true],
    ["keep-alive", true],
    ["proxy-authorization", true],
    ["proxy-connection", true],
    ["te", true],
    ["transfer-encoding", true],
    ["upgrade", true],
    ["authorization", false],
    ["cookie", false],
    ["trailer", false],
    ["x-one", false],
  ];
  for (const [name, expected] of cases) {
    test(`${name}: ${expected}`, () => assert.equal(isHopByHop(name), expected));
  }
});

test("connectionOptions reads every Connection field, in lower case", () => {
  const given = fields(["Connection", "Close, x-one"], ["connection", "Upgrade"]);
  assert.deepEqual([...connectionOptions(given)], ["close", "x-one", "upgrade"]);
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

test("wantsTrailers recognises only trailers in TE", () => {
  assert.equal(wantsTrailers(fields(["TE", "gzip, Trailers"])), true);
  assert.equal(wantsTrailers(fields(["TE", "gzip"])), false);
  assert.equal(wantsTrailers([]), false);
});
