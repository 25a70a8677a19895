import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  anyHostMatches,
  HostPatternError,
  hostMatches,
  normalizeHost,
  normalizeHostPattern,
} from "./host-pattern.ts";

describe("normalizeHost", () => {
  const hosts: [string, string | undefined][] = [
    ["api.openai.com", "api.openai.com"],
    ["API.OpenAI.com", "api.openai.com"],
    ["api.openai.com.", "api.openai.com"],
    ["bücher.example", "xn--bcher-kva.example"],
    ["under_score.example", "under_score.example"],
    ["localhost", "localhost"],
    ["", undefined],
    [".", undefined],
    ["a..b", undefined],
    ["api.openai.com..", undefined],
    ["api.openai.com:443", undefined],
    ["https://api.openai.com", undefined],
    ["api.openai.com/path", undefined],
    ["user@api.openai.com", undefined],
    ["[::1]", undefined],
    ["a b.example", undefined],
    ["a%2e.example", undefined],
    ["a\0.example", undefined],
    ["-leading.example", undefined],
    ["trailing-.example", undefined],
    [`${"a".repeat(64)}.example`, undefined],
    [`${"a.".repeat(127)}example`, undefined],
  ];
  for (const [text, expected] of hosts) {
    test(`${JSON.stringify(text.slice(0, 40))} is ${expected ?? "no host"}`, () => {
      assert.equal(normalizeHost(text), expected);
    });
  }
});

describe("normalizeHostPattern", () => {
  const accepted: [string, string][] = [
    ["api.anthropic.com", "api.anthropic.com"],
    ["*.OpenAI.com", "*.openai.com"],
    [" *.openai.com. ", "*.openai.com"],
    ["*.bücher.example", "*.xn--bcher-kva.example"],
  ];
  for (const [text, expected] of accepted) {
    test(`${JSON.stringify(text)} becomes ${expected}`, () => {
      assert.equal(normalizeHostPattern(text), expected);
    });
  }

  const refused: [string, RegExp][] = [
    ["", /is empty/],
    ["  ", /is empty/],
    ["*", /every host/],
    ["*.", /every host/],
    ["https://a.example", /scheme/],
    ["a.example:443", /port/],
    ["a.example/x", /path/],
    ["a.*.example", /not its first label/],
    ["a*.example", /not its first label/],
    ["*.*.example", /not its first label/],
    ["**.example", /not its first label/],
    ["a b.example", /not a valid host name/],
  ];
  for (const [text, reason] of refused) {
    test(`${JSON.stringify(text)} is refused and named`, () => {
      assert.throws(
        () => normalizeHostPattern(text),
        (error) => error instanceof HostPatternError && reason.test(error.message),
      );
    });
  }
});

describe("hostMatches", () => {
  const cases: [string, string, boolean][] = [
    ["api.openai.com", "api.openai.com", true],
    ["api.openai.com", "xapi.openai.com", false],
    ["api.openai.com", "api.openai.com.attacker.example", false],
    ["*.openai.com", "a.openai.com", true],
    ["*.openai.com", "a.b.openai.com", true],
    ["*.openai.com", "openai.com", false],
    ["*.openai.com", "notopenai.com", false],
    ["*.openai.com", ".openai.com", false],
    ["*.openai.com", "openai.com.attacker.example", false],
  ];
  for (const [pattern, host, expected] of cases) {
    test(`${pattern} ${expected ? "covers" : "does not cover"} ${host}`, () => {
      assert.equal(hostMatches(pattern, host), expected);
    });
  }
});

test("anyHostMatches: no pattern covers nothing", () => {
  assert.equal(anyHostMatches([], "a.example"), false);
  assert.equal(anyHostMatches(["b.example", "*.a.example"], "x.a.example"), true);
});

test("normalizeHost survives random text, and its results are canonical", () => {
  const alphabet = [..."aZ0-_.:/@[]%*\\ \t\n\0ß漢\u202e‥。．"];
  let state = 20_241_121;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  for (let round = 0; round < 5_000; round += 1) {
    const length = Math.floor(random() * 20);
    let text = "";
    for (let at = 0; at < length; at += 1) {
      text += alphabet[Math.floor(random() * alphabet.length)] ?? "";
    }
    const host = normalizeHost(text);
    if (host === undefined) continue;
    assert.match(host, /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/, JSON.stringify(text));
    assert.equal(normalizeHost(host), host, JSON.stringify(text));
  }
});
