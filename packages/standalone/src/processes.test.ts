import assert from "node:assert/strict";
import { test } from "node:test";
import { describeInstallation } from "./installation/installation.ts";
import { defineProcesses } from "./processes.ts";
import { readServeSettings, secretSettingNames } from "./serve-settings.ts";

const user = { name: "nobody", userId: 65534, groupId: 65534 };
const users = { controlPlane: user, egressProxy: user, worker: user, database: user };

test("defineProcesses: each secret setting reaches its processes alone, and no environment", () => {
  const secrets: Record<string, string> = {};
  for (const name of Object.values(secretSettingNames).flat()) secrets[name] = `canary of ${name}`;
  const definitions = defineProcesses({
    settings: readServeSettings({}),
    installation: describeInstallation("/var/lib/oc", {
      version: 1,
      id: "0123abcd",
      networkBlock: "198.18.4.0/22",
    }),
    environment: { PATH: "/bin", ...secrets },
    databaseUrl: "postgres://canary@h/d",
    secrets,
    users,
  });
  const namesOf = (name: keyof typeof definitions) => Object.keys(definitions[name].secrets ?? {});
  assert.deepEqual(new Set(namesOf("controlPlane")), new Set(secretSettingNames.controlPlane));
  assert.deepEqual(namesOf("egressProxy"), secretSettingNames.egressProxy);
  assert.deepEqual([namesOf("worker"), namesOf("host")], [secretSettingNames.worker, []]);
  for (const { environment, command } of Object.values(definitions)) {
    assert.doesNotMatch(JSON.stringify([environment, command]), /canary/);
  }
});
