import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  allowsStream,
  normalizeAllowlistEntry,
  normalizeSecretHost,
  otherPortsOf,
  parseEgressHost,
} from "./egress-host.ts";
import { HostPatternError } from "./host-pattern.ts";

const cases: [string, { entry: string | RegExp; secretHost: string | RegExp }][] = [
  ["API.example.com", { entry: "api.example.com", secretHost: "api.example.com" }],
  ["*.example.com", { entry: "*.example.com", secretHost: "*.example.com" }],
  ["a.example:8443", { entry: "a.example:8443", secretHost: "a.example:8443" }],
  [" *.A.example.:08443 ", { entry: "*.a.example:8443", secretHost: "*.a.example:8443" }],
  ["tcp://db.example:5432", { entry: "tcp://db.example:5432", secretHost: /no secret is used/ }],
  ["TCP://*.db.Example:22", { entry: "tcp://*.db.example:22", secretHost: /no secret is used/ }],
  ["tcp://db.example", { entry: /no port/, secretHost: /no secret is used/ }],
  ["tcp://db.example:443", { entry: /port that is open/, secretHost: /no secret is used/ }],
  ["tcp://*:22", { entry: /every host/, secretHost: /no secret is used/ }],
  ["tcp://a.example/x:22", { entry: /no port/, secretHost: /no secret is used/ }],
  ["tcp://tcp://a.example:22", { entry: /no port/, secretHost: /no secret is used/ }],
  ["a.example:443", { entry: /port that is open/, secretHost: /port that is open/ }],
  ["a.example:80", { entry: /port that is open/, secretHost: /port that is open/ }],
  ["a.example:53", { entry: /own resolver/, secretHost: /own resolver/ }],
  ["a.example:0", { entry: /1 to 65535/, secretHost: /1 to 65535/ }],
  ["a.example:65536", { entry: /1 to 65535/, secretHost: /1 to 65535/ }],
  ["a.example:", { entry: /1 to 65535/, secretHost: /1 to 65535/ }],
  ["a.example:https", { entry: /1 to 65535/, secretHost: /1 to 65535/ }],
  ["a:1:22", { entry: /has a port/, secretHost: /has a port/ }],
  ["udp://a.example:22", { entry: /scheme/, secretHost: /scheme/ }],
  ["https://a.example", { entry: /scheme/, secretHost: /scheme/ }],
  ["a.example/x", { entry: /path/, secretHost: /path/ }],
  ["*:8443", { entry: /every host/, secretHost: /every host/ }],
  [":8443", { entry: /is empty/, secretHost: /is empty/ }],
  ["", { entry: /is empty/, secretHost: /is empty/ }],
  ["[::1]:22", { entry: /has a port/, secretHost: /has a port/ }],
];

describe("hosts of allowlists and secrets", () => {
  for (const [text, expected] of cases) {
    for (const [what, normalize, result] of [
      ["as an entry", normalizeAllowlistEntry, expected.entry],
      ["of a secret", normalizeSecretHost, expected.secretHost],
    ] as const) {
      test(`${JSON.stringify(text)} ${what} is ${result}`, () => {
        if (typeof result === "string") {
          assert.equal(normalize(text), result);
          assert.equal(normalize(result), result);
        } else {
          assert.throws(
            () => normalize(text),
            (error) => error instanceof HostPatternError && result.test(error.message),
          );
        }
      });
    }
  }

  test("canonical entries have a protocol, a pattern and a port", () => {
    assert.deepEqual(parseEgressHost("a.example"), {
      protocol: "https",
      pattern: "a.example",
      port: null,
    });
    assert.deepEqual(parseEgressHost("*.a.example:8443"), {
      protocol: "https",
      pattern: "*.a.example",
      port: 8443,
    });
    assert.deepEqual(parseEgressHost("tcp://a.example:22"), {
      protocol: "tcp",
      pattern: "a.example",
      port: 22,
    });
  });

  const list = ["a.example", "b.example:8443", "tcp://db.example:5432", "tcp://*.db.example:22"];
  for (const [host, port, expected] of [
    ["db.example", 5432, true],
    ["db.example", 22, false],
    ["x.db.example", 22, true],
    ["x.db.example", 5432, false],
    ["a.example", 443, false],
    ["b.example", 8443, false],
  ] as const) {
    test(`the list ${expected ? "opens" : "does not open"} a stream to ${host}:${port}`, () => {
      assert.equal(allowsStream(list, host, port), expected);
    });
  }

  test("the other ports of a list are named once, in order", () => {
    assert.deepEqual(otherPortsOf([...list, "tcp://c.example:8443"]), [22, 5432, 8443]);
    assert.deepEqual(otherPortsOf(["a.example"]), []);
  });
});
