import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { secretNameSchema } from "./environment-name.ts";
import { normalizeHost } from "./host-pattern.ts";
import { normalizePlacement, parsePlacement } from "./placement.ts";
import { recommendPlacement, wellKnownServices } from "./well-known-hosts.ts";

describe("recommendPlacement", () => {
  const anthropic = {
    hosts: ["api.anthropic.com"],
    substituteIn: ["header:x-api-key", "header:authorization"],
  };
  const authorization = ["header:authorization"];
  const cases: [string, string, string[], ReturnType<typeof recommendPlacement>][] = [
    ["a known name without limits", "ANTHROPIC_API_KEY", [], anthropic],
    ["a known name at its own host", "ANTHROPIC_API_KEY", ["api.anthropic.com"], anthropic],
    ["a known name under a wildcard", "ANTHROPIC_API_KEY", ["*.anthropic.com"], anthropic],
    [
      "a known name at one of its hosts",
      "GH_TOKEN",
      ["github.com"],
      {
        ...{ hosts: ["github.com"], substituteIn: authorization },
      },
    ],
    ["a known name at a gateway", "ANTHROPIC_API_KEY", ["gateway.example.com"], undefined],
    [
      "a known name at another service's host",
      "OPENAI_API_KEY",
      ["openrouter.ai"],
      {
        ...{ hosts: ["openrouter.ai"], substituteIn: authorization },
      },
    ],
    [
      "a known name at a known and an unknown host",
      "GH_TOKEN",
      ["github.com", "example.com"],
      undefined,
    ],
    ["an unknown name at a known host", "KEY", ["api.anthropic.com"], anthropic],
    [
      "an unknown name at hosts of two services",
      "KEY",
      ["api.groq.com", "api.anthropic.com"],
      {
        hosts: ["api.anthropic.com", "api.groq.com"],
        substituteIn: anthropic.substituteIn,
      },
    ],
    ["an unknown name under a wildcard", "KEY", ["*.googleapis.com"], undefined],
    ["an unknown name without limits", "KEY", [], undefined],
    ["another case of a known name", "anthropic_api_key", [], undefined],
    [
      "a service that takes its key in the query",
      "GEMINI_API_KEY",
      [],
      {
        hosts: ["generativelanguage.googleapis.com"],
        substituteIn: ["header:x-goog-api-key", "query"],
      },
    ],
    [
      "a service that takes its key in the path",
      "TELEGRAM_BOT_TOKEN",
      [],
      {
        ...{ hosts: ["api.telegram.org"], substituteIn: ["path"] },
      },
    ],
  ];
  for (const [title, name, allowedHosts, expected] of cases) {
    test(title, () => assert.deepEqual(recommendPlacement(name, allowedHosts), expected));
  }
});

describe("the table of well-known services", () => {
  test("holds canonical hosts and placements, and each variable and host once", () => {
    const variables = wellKnownServices.flatMap((service) => service.variables);
    const hosts = wellKnownServices.flatMap((service) => service.hosts);
    const placements = wellKnownServices.flatMap((service) => service.substituteIn);
    assert.equal(new Set(variables).size, variables.length);
    assert.equal(new Set(hosts).size, hosts.length);
    assert.deepEqual(hosts.map(normalizeHost), hosts);
    assert.deepEqual(placements.map(normalizePlacement), placements);
    for (const name of variables) assert.ok(secretNameSchema.safeParse(name).success, name);
  });

  test("recommends no placement that lets content carry a value", () => {
    for (const { hosts, substituteIn } of wellKnownServices) {
      for (const placement of substituteIn) {
        assert.notEqual(parsePlacement(placement).kind, "body", hosts.join());
        assert.notEqual(placement, "header", hosts.join());
      }
    }
  });
});
