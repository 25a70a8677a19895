import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  createSandboxRequestSchema,
  createSecretStoreRequestSchema,
  forkRequestSchema,
  runCommandRequestSchema,
  setSecretRequestSchema,
  setTimeoutRequestSchema,
  tagsSchema,
  updateSecretStoreRequestSchema,
  WireError,
} from "@opencomputer/protocol/api";
import type { z } from "zod";
import { seededBytes } from "../../testing/seeded-random.ts";
import { validateRequest } from "./request-validation.ts";

function validate(schema: z.ZodType, data: unknown, httpPart = "body"): unknown {
  const validator = validateRequest({ schema, httpPart, method: "POST", url: "/" });
  return validator(data);
}

function refusal(schema: z.ZodType, data: unknown): WireError {
  const outcome = validate(schema, data);
  assert.ok(typeof outcome === "object" && outcome !== null && "error" in outcome);
  assert.ok(outcome.error instanceof WireError);
  return outcome.error;
}

describe("validateRequest", () => {
  const cases: [z.ZodType, unknown, code: string, message: RegExp][] = [
    [
      setTimeoutRequestSchema,
      { timeout: -5 },
      "invalid_request",
      /^timeout: must be positive, or 0 for never: a whole number from 0 to 31536000, found -5$/,
    ],
    [
      setTimeoutRequestSchema,
      { timeout: 1.5 },
      "invalid_request",
      /^timeout: must be a whole number from 0 to .*found 1.5$/,
    ],
    [setTimeoutRequestSchema, { timeout: "60" }, "invalid_request", /number.*found "60"$/],
    [setTimeoutRequestSchema, undefined, "invalid_request", /^timeout: .*number.*found nothing$/],
    [setTimeoutRequestSchema, [], "invalid_request", /^The request: .*object.*found a list$/],
    [
      createSandboxRequestSchema,
      { cpuCount: 9 },
      "invalid_request",
      /^cpuCount: must be a whole number from 1 to 8, or 0 for the default, found 9$/,
    ],
    [
      createSandboxRequestSchema,
      { memoryMB: 1 },
      "invalid_request",
      /^memoryMB: must be a whole number from 256 to 16384, .*found 1$/,
    ],
    [
      createSandboxRequestSchema,
      { envs: { "A B": "" } },
      "invalid_request",
      /^envs.A B: its name must/,
    ],
    [
      createSandboxRequestSchema,
      { metadata: { a: 1 } },
      "invalid_request",
      /string.*found a number$/,
    ],
    [createSecretStoreRequestSchema, {}, "invalid_request", /^name: .*string.*found nothing$/],
    [
      createSecretStoreRequestSchema,
      { name: "s", egressAllowlist: ["ok.com", "https://x.com"] },
      "invalid_host_pattern",
      /^egressAllowlist.1: .*has a scheme/,
    ],
    [
      createSecretStoreRequestSchema,
      { name: "s", egressAllowlist: "x.com" },
      "invalid_request",
      /^egressAllowlist: .*array.*found "x.com"$/,
    ],
    [
      updateSecretStoreRequestSchema,
      { substituteIn: ["header", "cookie"] },
      "invalid_request",
      /^substituteIn.1: Placement "cookie" must be header, .*found "cookie"$/,
    ],
    [
      updateSecretStoreRequestSchema,
      { substituteIn: "header" },
      "invalid_request",
      /^substituteIn: .*array.*found "header"$/,
    ],
    [
      setSecretRequestSchema,
      { value: "v", substituteIn: [] },
      "invalid_request",
      /^substituteIn: must name a placement: header, .*found a list$/,
    ],
    [
      setSecretRequestSchema,
      { value: "v", allowedHosts: ["*"] },
      "invalid_host_pattern",
      /every host/,
    ],
  ];
  for (const [schema, data, code, message] of cases) {
    test(`${JSON.stringify(data)} is refused with what was expected and found`, () => {
      const error = refusal(schema, data);
      assert.equal(error.code, code);
      assert.match(error.message, message);
    });
  }

  test("variables that are too large together are refused with their total and the limit", () => {
    const value = "x".repeat(100 * 1024);
    const names = Array.from({ length: 25 }, (_, index) => `V${index}`);
    const envs = Object.fromEntries(names.map((name) => [name, value]));
    for (const [schema, body] of [
      [createSandboxRequestSchema, { envs }],
      [forkRequestSchema, { envs }],
      [runCommandRequestSchema, { cmd: "true", envs }],
    ] as const) {
      assert.equal(
        refusal(schema, body).message,
        "envs: must be at most 1048576 bytes together, with their names: pass fewer, or write large values to files, found 2560115 bytes",
      );
    }
  });

  test("passes the parsed data on, in canonical form and without unknown fields", () => {
    assert.deepEqual(
      validate(createSecretStoreRequestSchema, {
        name: " s ",
        egressAllowlist: ["API.Example.COM."],
        more: 1,
      }),
      { value: { name: "s", egressAllowlist: ["api.example.com"] } },
    );
  });

  test("an absent body is an empty object; an absent map and an absent query are not", () => {
    assert.deepEqual(validate(createSandboxRequestSchema, undefined), { value: {} });
    for (const absent of [undefined, null]) {
      assert.match(refusal(tagsSchema, absent).message, /^The request: must be an object, found n/);
    }
    const query = validate(createSandboxRequestSchema, undefined, "querystring");
    assert.ok(typeof query === "object" && query !== null && "error" in query);
  });

  test("never quotes what may be a secret, wherever in the body it is", () => {
    const canary = "sk-canary-77aa";
    const bodies: [z.ZodType, unknown][] = [
      [setSecretRequestSchema, canary],
      [setSecretRequestSchema, [canary]],
      [setSecretRequestSchema, { value: [canary] }],
      [setSecretRequestSchema, { value: { [canary]: canary } }],
      [setSecretRequestSchema, { value: `${canary}\ud800` }],
      [setSecretRequestSchema, { value: canary.repeat(10_000) }],
      [setSecretRequestSchema, { value: 5, allowedHosts: 7, other: canary }],
      [setSecretRequestSchema, { value: canary, substituteIn: [] }],
      [createSandboxRequestSchema, { envs: { A: [canary] } }],
      [createSandboxRequestSchema, { envs: { A: `${canary}\0` } }],
      [createSandboxRequestSchema, { envs: canary }],
      [runCommandRequestSchema, { cmd: `${canary}\0` }],
      [runCommandRequestSchema, { cmd: "x", args: [`${canary}\0`], envs: { A: `${canary}\0` } }],
    ];
    for (const [schema, body] of bodies) {
      const { message } = refusal(schema, body);
      assert.ok(!message.includes(canary), message);
    }
  });

  test("fuzz: every JSON value is parsed or refused with a WireError of bounded length", () => {
    const keys = [
      ...["name", "value", "timeout", "envs"],
      ...["egressAllowlist", "allowedHosts", "substituteIn", "cmd"],
    ];
    const schemas = [
      createSandboxRequestSchema,
      createSecretStoreRequestSchema,
      setSecretRequestSchema,
      updateSecretStoreRequestSchema,
      runCommandRequestSchema,
    ];
    for (let round = 0; round < 2000; round += 1) {
      const bytes = [...seededBytes(`validation ${round}`, 64)];
      const body = randomValue(bytes, keys, 0);
      for (const schema of schemas) {
        const outcome = validate(schema, body);
        assert.ok(typeof outcome === "object" && outcome !== null);
        if ("value" in outcome) continue;
        assert.ok("error" in outcome && outcome.error instanceof WireError);
        assert.ok(outcome.error.message.length < 4000);
      }
    }
  });
});

function randomValue(bytes: number[], keys: string[], depth: number): unknown {
  const byte = bytes.pop() ?? 0;
  const size = (bytes.pop() ?? 0) % 4;
  switch (depth > 3 ? byte % 5 : byte % 7) {
    case 0:
      return null;
    case 1:
      return (bytes.pop() ?? 0) - 128.5 * size;
    case 2:
      return size > 1;
    case 3:
      return String.fromCharCode(...bytes.splice(0, size * 4));
    case 4:
      return `*.${keys[size]}.com`;
    case 5:
      return Array.from({ length: size }, () => randomValue(bytes, keys, depth + 1));
    default:
      return Object.fromEntries(
        Array.from({ length: size + 1 }, () => [
          keys[(bytes.pop() ?? 0) % keys.length],
          randomValue(bytes, keys, depth + 1),
        ]),
      );
  }
}
