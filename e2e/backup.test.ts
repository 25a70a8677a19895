import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, open, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  killSandboxes,
  listHostResources,
  type RunningInstallation,
  type Scenario,
  searchDirectory,
  startInstallation,
  startScenario,
} from "@opencomputer/harness";
import { Sandbox, SecretStore } from "@opencomputer/sdk";

const run = promisify(execFile);
const host = "api.example.test";
const key = "canary-backup-71c0e5d29ab3f4682d18";
const program = fileURLToPath(
  new URL("../packages/standalone/dist/backup/main.js", import.meta.url),
);

describe("backup and restore", () => {
  let scenario: Scenario;
  let directory: string;
  let backup: string;
  let hibernated: Sandbox;
  let checkpointId: string;
  let restored: RunningInstallation | undefined;

  before(async () => {
    scenario = await startScenario({
      hosts: [host],
      environment: { OPENCOMPUTER_WARM_POOL_SIZE: "0" },
      sharesImages: false,
    });
    directory = await mkdtemp(join(scenario.installation.dataDirectory, "..", "backup-"));
    backup = join(directory, "backup");
    const store = await scenario.createStore({ egressAllowlist: [host], secrets: { KEY: key } });
    hibernated = await scenario.createSandbox({ secretStore: store.name });
    await hibernated.exec.run("echo kept > /workspace/file; nohup sleep 86399 > /dev/null 2>&1 &");
    checkpointId = (await hibernated.createCheckpoint("saved")).id;
    await hibernated.hibernate();
  });
  after(async () => {
    const remaining: string[] = [];
    if (restored !== undefined) {
      const connection = { apiUrl: restored.apiUrl, apiKey: restored.apiKey };
      await killSandboxes(connection);
      await restored.stop();
      remaining.push(...(await listHostResources(restored)));
    }
    remaining.push(...(await scenario.end()));
    await rm(directory, { recursive: true, force: true });
    assert.deepEqual(remaining, []);
  });

  const command = (action: "backup" | "restore", dataDirectory: string, path: string) =>
    run(process.execPath, [program, action, path], {
      env: { PATH: process.env["PATH"], OPENCOMPUTER_DATA_DIR: dataDirectory },
    });

  test("a running service is backed up, and keeps working", async () => {
    const { dataDirectory } = scenario.installation;
    await command("backup", dataDirectory, backup);
    assert.ok((await readdir(backup)).includes("backup.json"));
    assert.deepEqual((await searchDirectory(backup, [key])).leaks, []);
    assert.equal((await SecretStore.list(scenario.connection)).length, 1);
    await assert.rejects(command("backup", dataDirectory, backup), /is not empty/);
    const empty = join(directory, "never-started");
    await assert.rejects(command("backup", empty, join(directory, "b")), /No service runs on/);
  });

  test("a damaged or incomplete backup is refused, and nothing is created", async () => {
    const target = join(directory, "refused");
    const damaged = join(directory, "damaged");
    await run("cp", ["--archive", backup, damaged]);
    const name = (await readdir(damaged)).find((entry) => entry.endsWith(".tar.zst")) ?? "";
    const file = await open(join(damaged, name), "r+");
    await file.write(Buffer.from([0x5a, 0xa5]), 0, 2, 1000);
    await file.close();
    await assert.rejects(command("restore", target, damaged), /is damaged: its SHA-256/);
    await rm(join(damaged, "backup.json"));
    await assert.rejects(command("restore", target, damaged), /is not a complete backup/);
    assert.ok(!existsSync(target));
    await rm(damaged, { recursive: true });
    const { dataDirectory } = scenario.installation;
    await assert.rejects(command("restore", dataDirectory, backup), /is not empty/);
  });

  test("elsewhere a sandbox wakes with its memory, disk and secret, and a checkpoint forks", async () => {
    const dataDirectory = join(directory, "data");
    await command("restore", dataDirectory, backup);
    restored = await startInstallation({
      dataDirectory,
      environment: {
        OPENCOMPUTER_EGRESS_HOSTS: scenario.internet.egressHosts,
        OPENCOMPUTER_EGRESS_CA_FILE: scenario.internet.caFile,
        OPENCOMPUTER_WARM_POOL_SIZE: "0",
      },
    });
    assert.notEqual(restored.id, scenario.installation.id);
    assert.equal(restored.apiKey, scenario.connection.apiKey);
    const connection = { apiUrl: restored.apiUrl, apiKey: restored.apiKey };
    const sandbox = await Sandbox.connect(hibernated.sandboxId, connection);
    const probe = `cat /workspace/file; pgrep -fc 'sleep 8639[9]'; curl -sS https://${host}/ -H "x-api-key: $KEY" > /dev/null`;
    const woken = await sandbox.wake();
    const log = () => readFile(join(dataDirectory, "logs/worker.log"), "utf8");
    assert.equal(woken.memoryLost, undefined, await log());
    const { stdout, stderr } = await sandbox.exec.run(probe);
    assert.equal(stdout.trim(), "kept\n1", stderr);
    assert.equal(scenario.internet.requestsTo(host).at(-1)?.headers["x-api-key"], key);
    const fork = await Sandbox.createFromCheckpoint(checkpointId, { ...connection, timeout: 0 });
    assert.equal((await fork.exec.run("cat /workspace/file")).stdout.trim(), "kept");
    assert.doesNotMatch(await log(), /saving the golden snapshot/);
  });

  test("the service that was backed up still has its sandbox", async () => {
    const sandbox = await Sandbox.connect(hibernated.sandboxId, scenario.connection);
    assert.equal((await sandbox.exec.run("cat /workspace/file")).stdout.trim(), "kept");
  });
});
