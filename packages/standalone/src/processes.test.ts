import assert from "node:assert/strict";
import { dirname } from "node:path";
import { test } from "node:test";
import { describeInstallation } from "./installation/installation.ts";
import { defineProcesses } from "./processes.ts";
import { readServeSettings, secretSettingNames } from "./serve-settings.ts";

const user = { name: "nobody", userId: 65534, groupId: 65534 };
const users = { controlPlane: user, egressProxy: user, worker: user, database: user };

function define(settings: Record<string, string>, secrets: Record<string, string> = {}) {
  return defineProcesses({
    settings: readServeSettings(settings),
    installation: describeInstallation("/var/lib/oc", {
      version: 1,
      id: "0123abcd",
      networkBlock: "198.18.4.0/22",
    }),
    environment: { PATH: "/bin", ...settings, ...secrets },
    databaseUrl: "postgres://canary@h/d",
    secrets,
    users,
  });
}

test("defineProcesses: each secret setting reaches its processes alone, and no environment", () => {
  const secrets: Record<string, string> = {};
  for (const name of Object.values(secretSettingNames).flat()) secrets[name] = `canary of ${name}`;
  const { egressProxies, ...others } = define(
    { OPENCOMPUTER_EGRESS_PROXY_PROCESSES: "3" },
    secrets,
  );
  const namesOf = (name: keyof typeof others) => Object.keys(others[name].secrets ?? {});
  assert.deepEqual(new Set(namesOf("controlPlane")), new Set(secretSettingNames.controlPlane));
  for (const proxy of egressProxies) {
    assert.deepEqual(Object.keys(proxy.secrets ?? {}), secretSettingNames.egressProxy);
  }
  assert.deepEqual([namesOf("worker"), namesOf("host")], [secretSettingNames.worker, []]);
  for (const { environment, command } of [...egressProxies, ...Object.values(others)]) {
    assert.doesNotMatch(JSON.stringify([environment, command]), /canary/);
  }
});

test("defineProcesses: several egress proxies share nothing, and the others learn of each", () => {
  const { egressProxies, host, controlPlane } = define({
    OPENCOMPUTER_EGRESS_PROXY_PROCESSES: "2",
  });
  assert.deepEqual(
    egressProxies.map(({ name, guestSockets, environment, confinement }) => [
      name,
      guestSockets?.port,
      guestSockets?.logGroup,
      environment["OPENCOMPUTER_EGRESS_PROXY_INDEX"],
      confinement?.writablePaths,
    ]),
    [
      ["egress-proxy", 8444, 0xabcd, "0", ["/run/opencomputer-0123abcd/egress-proxy"]],
      ["egress-proxy-2", 8454, 0xabce, "1", ["/run/opencomputer-0123abcd/egress-proxy-2"]],
    ],
  );
  assert.equal(host.environment["OPENCOMPUTER_EGRESS_PROXY_PROCESSES"], "2");
  const sockets = egressProxies.map((one) => one.environment["OPENCOMPUTER_EGRESS_PROXY_SOCKET"]);
  assert.equal(controlPlane.environment["OPENCOMPUTER_EGRESS_PROXY_SOCKETS"], sockets.join(","));
  for (const socket of sockets) {
    assert.ok(controlPlane.confinement?.readOnlyPaths.includes(dirname(socket ?? "")));
  }
});

test("defineProcesses: there is one egress proxy unless the operator wants several", () => {
  const { egressProxies, controlPlane } = define({});
  assert.deepEqual(
    egressProxies.map(({ name }) => name),
    ["egress-proxy"],
  );
  assert.equal(
    controlPlane.environment["OPENCOMPUTER_EGRESS_PROXY_SOCKETS"],
    "/run/opencomputer-0123abcd/egress-proxy/egress-proxy.sock",
  );
});
