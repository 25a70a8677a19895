import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { egressHostsSchema } from "@opencomputer/protocol/wire";
import { createOperatorHosts } from "./operator-hosts.ts";

describe("OperatorHosts.addressFor", () => {
  const table = createOperatorHosts(
    egressHostsSchema.parse(
      "api.test=127.0.0.1:9443,api.test:80=127.0.0.2:8080,plain.test:80=10.0.0.5:80,six.test=[fd00::1]:443",
    ),
  );
  const cases: ["https" | "http", string, { address: string; port: number } | undefined][] = [
    ["https", "api.test", { address: "127.0.0.1", port: 9443 }],
    ["http", "api.test", { address: "127.0.0.2", port: 8080 }],
    ["http", "plain.test", { address: "10.0.0.5", port: 80 }],
    ["https", "plain.test", undefined],
    ["https", "six.test", { address: "fd00::1", port: 443 }],
    ["http", "six.test", { address: "fd00::1", port: 443 }],
    ["https", "x.api.test", undefined],
    ["https", "test", undefined],
  ];
  for (const [scheme, host, expected] of cases) {
    test(`${scheme}://${host} is ${expected?.address ?? "not mapped"}`, () => {
      assert.deepEqual(table.addressFor({ scheme, host }), expected);
    });
  }

  test("has is true for a host that is mapped for any port", () => {
    assert.equal(table.has("plain.test"), true);
    assert.equal(table.has("x.plain.test"), false);
  });
});
