import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { serviceLimits } from "../limits.ts";
import { readSettings, settingSchemas } from "./settings.ts";
import { upstreamProxyExceptionsSchema, upstreamProxySchema } from "./upstream-proxy.ts";

const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;

describe("upstreamProxySchema", () => {
  const accepted: [string, string, number, string | null][] = [
    ["http://proxy.corp.example:3128", "proxy.corp.example", 3128, null],
    ["http://10.0.0.8:8080/", "10.0.0.8", 8080, null],
    ["http://[fd00::1]:3128", "fd00::1", 3128, null],
    ["http://proxy", "proxy", 80, null],
    ["http://user:pass@proxy:3128", "proxy", 3128, basic("user:pass")],
    ["http://user%40corp:p%3A%2F%C3%A9@proxy:3128", "proxy", 3128, basic("user@corp:p:/é")],
    ["http://user@proxy:3128", "proxy", 3128, basic("user:")],
  ];
  for (const [text, host, port, authorization] of accepted) {
    test(`accepts ${text}`, () => {
      assert.deepEqual(upstreamProxySchema.parse(text), { host, port, authorization });
    });
  }

  const refused = [
    "proxy:3128",
    "https://user:canary@proxy:3128",
    "socks5://user:canary@proxy:1080",
    "http://user:canary@proxy:3128/path",
    "http://user:canary@proxy:3128?x=canary",
    "http://user%3Ax:canary@proxy:3128",
    "http://user:canary%@proxy:3128",
    "http://user:canary@proxy:99999",
    "http://user:canary@",
  ];
  for (const text of refused) {
    test(`refuses ${text}, and does not repeat it`, () => {
      assert.throws(
        () => readSettings(settingSchemas, { OPENCOMPUTER_EGRESS_UPSTREAM_PROXY: text }),
        (error) =>
          error instanceof Error &&
          /OPENCOMPUTER_EGRESS_UPSTREAM_PROXY: expected http:/.test(error.message) &&
          !error.message.includes("canary"),
      );
    });
  }
});

describe("upstreamProxyExceptionsSchema", () => {
  test("sorts hosts, suffixes, addresses and ranges", () => {
    assert.deepEqual(
      upstreamProxyExceptionsSchema.parse(
        " Example.com, *.corp.example,.mil.example, 203.0.113.7,198.51.100.0/24,2001:db8::/32,",
      ),
      {
        hostPatterns: ["example.com", "*.corp.example", "*.mil.example"],
        ranges: ["203.0.113.7/32", "198.51.100.0/24", "2001:db8::/32"],
      },
    );
  });

  for (const text of ["*", "http://example.com", "example.com:443", "203.0.113.0/33", "a b"]) {
    test(`refuses ${text}`, () => {
      assert.match(
        String(upstreamProxyExceptionsSchema.safeParse(text).error),
        /expected hosts, suffixes and address ranges/,
      );
    });
  }

  test("refuses more entries than the limit", () => {
    const entries = Array.from(
      { length: serviceLimits.upstreamProxyExceptionsMax + 1 },
      () => "a.test",
    );
    const { error } = upstreamProxyExceptionsSchema.safeParse(entries.join(","));
    assert.match(String(error), /expected at most 256 entries, got 257/);
  });
});
