import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { EgressSummary, EgressUse } from "./egress-log-repository.ts";
import { suggestAllowlist } from "./suggest-allowlist.ts";

const use = (changes: Partial<EgressUse>): EgressUse => ({
  ...{ protocol: "https", host: "api.example.com", port: 443, decision: "allowed", count: 1 },
  wasSent: changes.decision !== "refused",
  ...changes,
});
const suggest = (changes: Partial<EgressSummary>) =>
  suggestAllowlist({
    ...{ uses: [], secretUses: [], exchangeCount: 0, leftOutCount: 0, since: null },
    ...changes,
  });

describe("suggestAllowlist", () => {
  test("a log without entries needs nothing", () => {
    assert.deepEqual(suggest({}), {
      ...{ egressAllowlist: [], perSecretAllowedHosts: {}, refused: [], unreached: [] },
      ...{ exchangeCount: 0, since: null, isIncomplete: false },
    });
  });

  test("each host once, with its port where that is neither 443 nor 80", () => {
    const { egressAllowlist } = suggest({
      uses: [
        use({}),
        use({ protocol: "websocket" }),
        use({ protocol: "http", port: 80 }),
        use({ port: 8443 }),
        use({ protocol: "tcp", host: "db.example.com", port: 5432 }),
        use({ host: "203.0.113.7" }),
        use({ host: null }),
        use({ host: "not a host…(300 bytes)" }),
      ],
    });
    assert.deepEqual(
      egressAllowlist.filter((entry) => !entry.startsWith("203.")),
      ["api.example.com", "api.example.com:8443", "tcp://db.example.com:5432"],
    );
  });

  test("what was allowed and never reached is apart, unless it was reached at another time", () => {
    const failed = { wasSent: false };
    const { egressAllowlist, refused, unreached } = suggest({
      uses: [
        use({}),
        use({ ...failed, count: 3 }),
        use({ ...failed, host: "typo.example.com", count: 2 }),
        use({ ...failed, protocol: "tcp", host: "db.example.com", port: 5432, count: 4 }),
        use({ decision: "refused", host: "evil.example.com" }),
      ],
    });
    assert.deepEqual(egressAllowlist, ["api.example.com"]);
    assert.deepEqual(unreached, [
      { entry: "tcp://db.example.com:5432", count: 4 },
      { entry: "typo.example.com", count: 2 },
    ]);
    assert.deepEqual(refused, [{ entry: "evil.example.com", count: 1 }]);
  });

  test("what was refused and is not needed otherwise is apart, the most frequent first", () => {
    const { refused } = suggest({
      uses: [
        use({}),
        use({ decision: "refused", count: 9 }),
        use({ decision: "refused", host: "b.example.com", protocol: "dns", port: 53 }),
        use({ decision: "refused", host: "b.example.com", protocol: "tls" }),
        use({ decision: "refused", host: "c.example.com", count: 5 }),
      ],
    });
    assert.deepEqual(refused, [
      { entry: "c.example.com", count: 5 },
      { entry: "b.example.com", count: 2 },
    ]);
  });

  test("what a guest names opens no more than the host of that name", () => {
    const names = ["*.example.com", "tcp://*.example.com:22", "a.example.com:22", "*", "a/b"];
    for (const wasSent of [true, false]) {
      for (const decision of ["allowed", "refused"] as const) {
        const { egressAllowlist, refused, unreached, perSecretAllowedHosts } = suggest({
          uses: names.map((host) => use({ host, protocol: "dns", port: 53, decision, wasSent })),
          secretUses: names.map((host) => ({ name: "KEY", protocol: "https", host, port: 443 })),
        });
        assert.deepEqual([egressAllowlist, refused, unreached], [[], [], []]);
        assert.deepEqual(perSecretAllowedHosts, { KEY: [] });
      }
    }
  });
});
