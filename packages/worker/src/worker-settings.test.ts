import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readSettings, SettingsError } from "@opencomputer/protocol/wire";
import { workerSettingSchemas } from "./worker-settings.ts";

const environment = {
  OPENCOMPUTER_WORKER_SOCKET: "/run/oc/worker.sock",
  OPENCOMPUTER_HOST_SOCKET: "/run/oc/host/host.sock",
  OPENCOMPUTER_RUNTIME_DIR: "/run/oc",
  OPENCOMPUTER_INSTALLATION_ID: "00c0ffee",
  OPENCOMPUTER_NETWORK_BLOCK: "198.18.4.0/22",
  OPENCOMPUTER_GUEST_IMAGE_DIR: "/image",
};

describe("workerSettingSchemas", () => {
  test("have defaults for what the operator need not set", () => {
    const settings = readSettings(workerSettingSchemas, environment);
    assert.equal(settings.OPENCOMPUTER_WARM_POOL_SIZE, 2);
    assert.equal(settings.OPENCOMPUTER_ACCEL, "auto");
  });

  const malformed: Record<string, string> = {
    OPENCOMPUTER_WORKER_SOCKET: "worker.sock",
    OPENCOMPUTER_RUNTIME_DIR: `/${"x".repeat(80)}`,
    OPENCOMPUTER_INSTALLATION_ID: "00C0FFEE",
    OPENCOMPUTER_NETWORK_BLOCK: "198.18.4.0/33",
    OPENCOMPUTER_GUEST_IMAGE_DIR: "image",
    OPENCOMPUTER_WARM_POOL_SIZE: "-1",
    OPENCOMPUTER_ACCEL: "hvf",
  };
  for (const [name, value] of Object.entries(malformed)) {
    test(`refuse ${name}=${value.slice(0, 20)} by its name`, () => {
      assert.throws(
        () => readSettings(workerSettingSchemas, { ...environment, [name]: value }),
        (error: unknown) => error instanceof SettingsError && error.message.includes(name),
      );
    });
  }
});
