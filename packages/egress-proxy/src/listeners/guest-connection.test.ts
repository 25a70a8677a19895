import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createSeededRandom } from "../testing/seeded-random.ts";
import { hostFromServerName } from "./guest-connection.ts";

describe("hostFromServerName", () => {
  const cases: [string, string | undefined][] = [
    ["api.example.com", "api.example.com"],
    ["API.Example.COM", "api.example.com"],
    ["api.example.com.", "api.example.com"],
    ["bücher.example", "xn--bcher-kva.example"],
    ["under_score.example.com", "under_score.example.com"],
    ["localhost", "localhost"],
    ["", undefined],
    [".", undefined],
    ["127.0.0.1", undefined],
    ["0x7f.1", undefined],
    ["2130706433", undefined],
    ["[::1]", undefined],
    ["::1", undefined],
    ["a..b", undefined],
    ["-a.example.com", undefined],
    ["*.example.com", undefined],
    ["api.example.com:443", undefined],
    ["user@api.example.com", undefined],
    ["a b.example.com", undefined],
    ["a\0.example.com", undefined],
    ["a/../b", undefined],
    [`${"a".repeat(64)}.com`, undefined],
    ["a.".repeat(200), undefined],
    ["a".repeat(100_000), undefined],
  ];
  for (const [serverName, host] of cases) {
    test(`${JSON.stringify(serverName.slice(0, 40))} is ${host ?? "refused"}`, () => {
      assert.equal(hostFromServerName(serverName), host);
    });
  }

  test("fuzz: whatever it returns is a canonical name", () => {
    const random = createSeededRandom(20_251);
    for (let round = 0; round < 20_000; round += 1) {
      const text = random.bytes(1 + random.below(40)).toString("latin1");
      const host = hostFromServerName(text);
      if (host === undefined) continue;
      assert.match(host, /^[a-z0-9_.-]{1,253}$/);
      assert.equal(hostFromServerName(host), host);
    }
  });
});
