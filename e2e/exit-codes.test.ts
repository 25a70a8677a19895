import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { copyTemplate, removeDataDirectory, startInstallation } from "@opencomputer/harness";

/** sysexits(3): what a supervisor such as systemd decides by. */
const temporaryFailure = 75;
const configuration = 78;

describe("exit code of the service", () => {
  let dataDirectory: string;
  before(async () => {
    dataDirectory = await copyTemplate();
  });
  after(() => removeDataDirectory(dataDirectory));

  const endedWith = async (environment: Record<string, string>) => {
    try {
      const installation = await startInstallation({ dataDirectory, environment });
      await installation.stop();
      return { exitCode: installation.exitCode(), message: "" };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return { exitCode: Number(/exit code (\d+)/.exec(message)?.[1]), message };
    }
  };

  test("a service that is stopped in order ends with 0", async () => {
    const { exitCode, message } = await endedWith({ OPENCOMPUTER_WARM_POOL_SIZE: "0" });
    assert.equal(exitCode, 0, message);
  });

  test("a malformed setting is one of configuration, whichever process reads it", async () => {
    for (const environment of [
      { OPENCOMPUTER_ACCEL: "fast" },
      { OPENCOMPUTER_EGRESS_CA_FILE: "/absent/ca.pem" },
      {
        OTEL_EXPORTER_OTLP_CERTIFICATE: "/absent/ca.pem",
        OTEL_EXPORTER_OTLP_ENDPOINT: "https://127.0.0.1:9",
      },
    ]) {
      const { exitCode, message } = await endedWith(environment);
      assert.equal(exitCode, configuration, message);
      assert.match(message, new RegExp(Object.keys(environment)[0] ?? ""));
    }
  });

  test("a database that cannot be reached is a temporary failure", async () => {
    const { exitCode, message } = await endedWith({
      DATABASE_URL: "postgresql://user:canary-password@127.0.0.1:9/x",
    });
    assert.equal(exitCode, temporaryFailure, message);
    assert.match(message, /Cannot open the database that DATABASE_URL names/);
    assert.ok(!message.includes("canary-password"));
  });
});
