import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { serviceLimits } from "@opencomputer/protocol/wire";
import { SecretValue } from "../vault/secret-value.ts";
import { boundFormerSecrets, type FormerSecret, isSameUse } from "./former-secret.ts";

const now = new Date("2030-01-01T00:00:00Z");
const former = (value: string, secondsAgo: number, changes: Partial<FormerSecret> = {}) => ({
  name: "K",
  kind: "value" as const,
  token: "token-k",
  value: new SecretValue(value),
  allowedHosts: ["a.example.com", "b.example.com"],
  substituteIn: ["header"],
  retiredAt: new Date(now.getTime() - secondsAgo * 1000),
  ...changes,
});
const valuesOf = (formers: readonly FormerSecret[]) => formers.map(({ value }) => value.reveal());

describe("isSameUse", () => {
  test("is for the same value, hosts and placements, in any order", () => {
    const hosts = { allowedHosts: ["b.example.com", "a.example.com"] };
    assert.ok(isSameUse(former("v", 1), former("v", 2, hosts)));
  });

  const others: [string, FormerSecret][] = [
    ["value", former("w", 1)],
    ["hosts", former("v", 1, { allowedHosts: ["a.example.com"] })],
    ["absence of hosts", former("v", 1, { allowedHosts: [] })],
    ["placements", former("v", 1, { substituteIn: ["header", "body"] })],
    ["token", former("v", 1, { token: "token-l" })],
    ["name", former("v", 1, { name: "L" })],
  ];
  for (const [what, other] of others) {
    test(`is not for another ${what}`, () => assert.ok(!isSameUse(former("v", 1), other)));
  }
});

describe("boundFormerSecrets", () => {
  test("keeps the newest of what is the same, the newest first", () => {
    const kept = boundFormerSecrets([former("v", 9), former("w", 5), former("v", 1)], now);
    assert.deepEqual(
      kept.map(({ retiredAt }) => (now.getTime() - retiredAt.getTime()) / 1000),
      [1, 5],
    );
  });

  test(`drops the oldest over ${serviceLimits.formerValuesPerSecretMax} of one name, of that name alone`, () => {
    const many = Array.from({ length: serviceLimits.formerValuesPerSecretMax }, (_, index) =>
      former(`v${index}`, 100 - index),
    );
    const other = former("other", 1000, { name: "L" });
    assert.equal(boundFormerSecrets([other, ...many], now).length, many.length + 1);
    const kept = valuesOf(boundFormerSecrets([other, ...many, former("newest", 1)], now));
    assert.equal(kept.length, many.length + 1);
    assert.ok(!kept.includes("v0"));
    for (const value of ["newest", "v1", "other"]) assert.ok(kept.includes(value), value);
  });

  test("drops what is older than its time", () => {
    const secondsMax = serviceLimits.formerValueSecondsMax;
    const formers = [former("expired", secondsMax), former("kept", secondsMax - 1)];
    assert.deepEqual(valuesOf(boundFormerSecrets(formers, now)), ["kept"]);
  });
});
