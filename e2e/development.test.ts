import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { appendFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  copyTemplate,
  listMachines,
  type RunningInstallation,
  removeDataDirectory,
  startInstallation,
} from "@opencomputer/harness";
import { OpenComputerError, Sandbox } from "@opencomputer/sdk";

const run = promisify(execFile);
const ownCheckout = fileURLToPath(new URL("..", import.meta.url));
const pollMilliseconds = 100;
const processNames = ["supervisor", "host", "worker", "egress-proxy", "control-plane"] as const;
type ProcessName = (typeof processNames)[number];

describe("the service, run from sources that are saved", () => {
  const mounted: string[] = [];
  let checkout: string;
  let dataDirectory: string;
  let installation: RunningInstallation;
  let sandbox: Sandbox;
  before(async () => {
    checkout = await mkdtemp(join(tmpdir(), "development-"));
    await cp(join(ownCheckout, "packages"), join(checkout, "packages"), { recursive: true });
    for (const folder of ["node_modules", "guest-image/build"]) {
      await mkdir(join(checkout, folder), { recursive: true });
      await run("mount", ["--bind", join(ownCheckout, folder), join(checkout, folder)]);
      mounted.push(join(checkout, folder));
    }
    dataDirectory = await copyTemplate();
    installation = await startInstallation({
      dataDirectory,
      environment: { OPENCOMPUTER_WARM_POOL_SIZE: "0" },
      program: { checkout, node: process.execPath, code: "source" },
    });
    const connection = { apiUrl: installation.apiUrl, apiKey: installation.apiKey };
    sandbox = await Sandbox.create({ ...connection, timeout: 0 });
    await sandbox.exec.run("nohup sleep 3600 > /dev/null 2>&1 &");
  });
  after(async () => {
    await sandbox?.kill();
    await installation?.stop();
    for (const path of mounted) await run("umount", [path]);
    await rm(checkout, { recursive: true });
    await removeDataDirectory(dataDirectory);
  });

  const pidOf = async (name: ProcessName) => (await installation.pidsOf(name))[0];
  const allPids = async () =>
    Object.fromEntries(
      await Promise.all(processNames.map(async (name) => [name, await pidOf(name)] as const)),
    );
  /**
   * Makes a change, waits until the service is ready with every named process
   * running anew, and returns those that do. A process that ended by itself is
   * started again and again until its file is repaired: one that was seen once
   * may not be the one that remains.
   */
  const restartedBy = async (change: () => Promise<void>, expected: ProcessName[]) => {
    const before = await allPids();
    await change();
    for (;;) {
      await installation.untilReady();
      const after = await allPids();
      const restarted = processNames.filter((name) => after[name] !== before[name]);
      const remain = (name: ProcessName) => after[name] !== undefined && restarted.includes(name);
      if (expected.every(remain)) return restarted;
      await new Promise((resolve) => setTimeout(resolve, pollMilliseconds));
    }
  };
  const assertSandboxWorks = async () => {
    assert.equal(await countSleeping(), "1\n");
  };
  /** A process that restarts is missed by the others only at their next call. */
  const countSleeping = async () => {
    for (;;) {
      try {
        return (await sandbox.exec.run("pgrep -c sleep")).stdout;
      } catch (error) {
        const isRestarting =
          error instanceof OpenComputerError && error.code === "worker_unavailable";
        if (!isRestarting) throw error;
        await new Promise((resolve) => setTimeout(resolve, pollMilliseconds));
      }
    }
  };

  test("a file of the control plane restarts the control plane alone", async () => {
    const machines = await listMachines(installation);
    const file = join(checkout, "packages/control-plane/src/main.ts");
    const restarted = await restartedBy(() => appendFile(file, "\n"), ["control-plane"]);
    assert.deepEqual(restarted, ["control-plane"]);
    assert.deepEqual(await listMachines(installation), machines);
    await assertSandboxWorks();
  });

  test("a file of the worker restarts the worker and its host process", async () => {
    const machines = await listMachines(installation);
    const file = join(checkout, "packages/worker/src/main.ts");
    const restarted = await restartedBy(() => appendFile(file, "\n"), ["host", "worker"]);
    assert.deepEqual(restarted, ["host", "worker"]);
    assert.deepEqual(await listMachines(installation), machines);
    await assertSandboxWorks();
  });

  test("a file that is broken and then repaired ends in a service that works", async () => {
    const file = join(checkout, "packages/egress-proxy/src/main.ts");
    const text = await readFile(file, "utf8");
    await writeFile(file, "this is no program");
    while (!installation.output().includes("egress-proxy ended with exit code 1")) {
      await new Promise((resolve) => setTimeout(resolve, pollMilliseconds));
    }
    const restarted = await restartedBy(() => writeFile(file, text), ["egress-proxy"]);
    assert.deepEqual(restarted, ["egress-proxy"]);
    await assertSandboxWorks();
    const throughProxy = "curl --silent --output /dev/null http://169.254.169.254/";
    while ((await sandbox.exec.run(throughProxy)).exitCode !== 0) {
      await new Promise((resolve) => setTimeout(resolve, pollMilliseconds));
    }
  });
});
