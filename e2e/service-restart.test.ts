import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  copyTemplate,
  type Internet,
  listHostResources,
  listMachines,
  type RunningInstallation,
  removeDataDirectory,
  startInstallation,
  startInternet,
} from "@opencomputer/harness";
import { Sandbox, SecretStore } from "@opencomputer/sdk";

const host = "api.example.test";
const key = "canary-service-restart-3eb7c09d51a86f42";
const pollMilliseconds = 100;

describe("a sandbox outlives the service", () => {
  let internet: Internet;
  let dataDirectory: string;
  let installation: RunningInstallation;
  let sandboxId: string;

  const start = () =>
    startInstallation({
      dataDirectory,
      environment: {
        OPENCOMPUTER_EGRESS_HOSTS: internet.egressHosts,
        OPENCOMPUTER_EGRESS_CA_FILE: internet.caFile,
        OPENCOMPUTER_WARM_POOL_SIZE: "0",
      },
    });
  const connect = () =>
    Sandbox.connect(sandboxId, { apiUrl: installation.apiUrl, apiKey: installation.apiKey });

  before(async () => {
    internet = await startInternet({ hosts: [host] });
    dataDirectory = await copyTemplate();
    installation = await start();
    const connection = { apiUrl: installation.apiUrl, apiKey: installation.apiKey };
    const store = await SecretStore.create({ ...connection, name: "s", egressAllowlist: [host] });
    await SecretStore.setSecret(store.id, "KEY", key, connection);
    const sandbox = await Sandbox.create({ ...connection, secretStore: "s", timeout: 0 });
    sandboxId = sandbox.sandboxId;
    await sandbox.exec.run("nohup sleep 3600 > /dev/null 2>&1 &");
  });
  after(async () => {
    await (await connect()).kill();
    await installation.stop();
    await internet.close();
    const remaining = await listHostResources(installation);
    await removeDataDirectory(dataDirectory);
    assert.deepEqual(remaining, []);
  });

  const assertWorks = async () => {
    const sandbox = await connect();
    const result = await sandbox.exec.run(
      `pgrep -c sleep && curl -sS https://${host}/ -H "x-api-key: $KEY"`,
    );
    assert.match(result.stdout, /^1\n/, result.stderr);
    assert.equal(internet.requests.at(-1)?.headers["x-api-key"], key);
  };

  test("stopped in order: the machine keeps running and is found again", async () => {
    const machines = await listMachines(installation);
    await installation.stop();
    assert.deepEqual(await listMachines(installation), machines);
    installation = await start();
    await assertWorks();
    assert.deepEqual(await listMachines(installation), machines);
  });

  test("killed: its processes end with it, the machine is found again", async () => {
    const machines = await listMachines(installation);
    const [supervisor = 0] = await installation.pidsOf("supervisor");
    process.kill(supervisor, "SIGKILL");
    for (const name of ["control-plane", "worker", "egress-proxy"] as const) {
      while ((await installation.pidsOf(name)).length > 0) {
        await new Promise((resolve) => setTimeout(resolve, pollMilliseconds));
      }
    }
    installation = await start();
    await assertWorks();
    assert.deepEqual(await listMachines(installation), machines);
  });
});
