import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readSettings, SettingsError } from "./settings.ts";
import { traceSettingSchemas } from "./trace-settings.ts";

const read = (environment: Record<string, string>) =>
  readSettings(traceSettingSchemas, environment);

describe("traceSettingSchemas", () => {
  test("export nothing by default, and everything once there is an endpoint", () => {
    const settings = read({});
    assert.equal(settings.OTEL_EXPORTER_OTLP_ENDPOINT, undefined);
    assert.equal(settings.OTEL_TRACES_SAMPLER, "parentbased_always_on");
    assert.equal(settings.OTEL_TRACES_SAMPLER_ARG, 1);
    assert.equal(settings.OTEL_SDK_DISABLED, false);
  });

  test("read pairs with percent-encoded values", () => {
    const { OTEL_EXPORTER_OTLP_HEADERS } = read({
      OTEL_EXPORTER_OTLP_HEADERS: "api-key=abc=,authorization=Basic%20dTpw, x = 1%2C2",
    });
    assert.deepEqual(OTEL_EXPORTER_OTLP_HEADERS, {
      "api-key": "abc=",
      authorization: "Basic dTpw",
      x: "1,2",
    });
  });

  for (const [name, value] of [
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318"],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:canary@127.0.0.1:4318"],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "https://example.com/?key=canary"],
    ["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"],
    ["OTEL_EXPORTER_OTLP_HEADERS", "canary"],
    ["OTEL_EXPORTER_OTLP_HEADERS", "key=canary%0d%0ax-more: 1"],
    ["OTEL_EXPORTER_OTLP_HEADERS", "key=canary%zz"],
    ["OTEL_EXPORTER_OTLP_HEADERS", "a b=canary"],
    ["OTEL_EXPORTER_OTLP_HEADERS", `key=${"canary".repeat(1000)}`],
    ["OTEL_EXPORTER_OTLP_CERTIFICATE", "ca.pem"],
    ["OTEL_EXPORTER_OTLP_TIMEOUT", "0"],
    ["OTEL_TRACES_SAMPLER", "jaeger_remote"],
    ["OTEL_TRACES_SAMPLER_ARG", "1.5"],
    ["OTEL_TRACES_SAMPLER_ARG", "."],
  ] as const) {
    test(`refuse ${name}=${value.slice(0, 40)}, without its text`, () => {
      assert.throws(
        () => read({ [name]: value }),
        (error) =>
          error instanceof SettingsError &&
          error.message.includes(name) &&
          !error.message.includes("canary"),
      );
    });
  }
});
