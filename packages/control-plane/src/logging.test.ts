import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WireError } from "@opencomputer/protocol/api";
import { DrizzleQueryError } from "./database/query-builder.ts";
import { createRecordingLogger } from "./testing/recording-logger.ts";

const canary = "sk-canary-3c3c";

function log(error: unknown): string {
  const { logger, lines } = createRecordingLogger();
  logger.error({ err: error }, "failed");
  return lines();
}

describe("createLogger", () => {
  test("logs type, text, code and causes of an error", () => {
    const cause = Object.assign(new TypeError("socket closed"), { code: "ECONNRESET" });
    const line = JSON.parse(log(new WireError("worker_unavailable", "no worker", { cause })));
    assert.equal(line.process, "control-plane");
    assert.equal(line.err.message, "no worker");
    assert.equal(line.err.code, "worker_unavailable");
    assert.equal(line.err.cause.type, "TypeError");
    assert.equal(line.err.cause.code, "ECONNRESET");
  });

  const leaking: [string, unknown][] = [
    [
      "the parameters of a query",
      new DrizzleQueryError("insert into t values ($1)", [canary], new Error("duplicate key")),
    ],
    ["further properties", Object.assign(new Error("x"), { config: { value: canary } })],
    ["details for the caller", new WireError("forbidden", "x", { details: { value: canary } })],
    ["a request in an error", Object.assign(new Error("x"), { request: { body: canary } })],
    [
      "parameters in a cause",
      new Error("x", { cause: new DrizzleQueryError("q", [canary], undefined) }),
    ],
  ];
  for (const [what, error] of leaking) {
    test(`does not log ${what}`, () => assert.ok(!log(error).includes(canary)));
  }

  test("still logs why a query failed", () => {
    const error = new DrizzleQueryError("q", [canary], new Error("duplicate key"));
    assert.match(log(error), /A database query failed.*duplicate key/);
  });
});
