import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  parseMemory,
  readMachines,
  readMemory,
  resetPeakMemory,
  type Scenario,
  startSharedScenario,
} from "@opencomputer/harness";
import type { Sandbox } from "@opencomputer/sdk";
import { isFullRun } from "../setup/test/full-run.mjs";
import { type ClientTask, clientResultSchema } from "./large-file-client.ts";

const mebi = 1024 * 1024;
const guestMemoryMB = 1024;
const growthBytesMax = 96 * mebi;
const agentGrowthBytesMax = 16 * mebi;
/** What QEMU may hold besides the guest's memory, which fills with the file's pages. */
const machineOwnBytesMax = 320 * mebi;

const inMebi = (bytes: number) => `${(bytes / mebi).toFixed(1)} MiB`;
const describeGrowth = (growth: Map<string, number>) =>
  [...growth].map(([name, bytes]) => `${name} ${inMebi(bytes)}`).join(", ");

describe("files larger than the memory of everything that passes them on", () => {
  let scenario: Scenario;
  let sandbox: Sandbox;
  let client: ChildProcess;
  let hostPids: Map<string, number>;
  let machinePid: number;

  before(async () => {
    scenario = await startSharedScenario();
    sandbox = await scenario.createSandbox({ memoryMB: guestMemoryMB });
    client = fork(fileURLToPath(new URL("./large-file-client.ts", import.meta.url)));
    hostPids = new Map([["client", client.pid ?? 0]]);
    for (const name of ["control-plane", "worker", "egress-proxy"] as const) {
      const [pid = 0] = await scenario.installation.pidsOf(name);
      hostPids.set(name, pid);
    }
    const machines = await readMachines(scenario.installation.dataDirectory);
    machinePid = machines.get(sandbox.sandboxId)?.pid ?? 0;
    // Buffers and compiled code that the first transfer leaves are no growth of a later one.
    for (const way of isFullRun ? (["sdk", "signed URL"] as const) : (["sdk"] as const)) {
      await move({ direction: "up", way, path: "/workspace/warm-up", bytes: 32 * mebi });
      await move({ direction: "down", way, path: "/workspace/warm-up", bytes: 32 * mebi });
    }
  });
  after(async () => {
    client.disconnect();
    assert.deepEqual(await scenario.end(), []);
  });

  const move = async (task: Omit<ClientTask, "apiUrl" | "apiKey" | "sandboxId">) => {
    client.send({ ...scenario.connection, sandboxId: sandbox.sandboxId, ...task });
    const [result] = await Promise.race([
      once(client, "message"),
      once(client, "exit").then(() => assert.fail("the client ended")),
    ]);
    return clientResultSchema.parse(result);
  };
  const asRoot = async (script: string) => {
    const { stdout, stderr, exitCode } = await sandbox.exec.run("sudo", {
      args: ["bash", "-c", `agent=$(pgrep -f ^opencomputer-agent) && ${script}`],
    });
    assert.equal(exitCode, 0, stderr);
    return stdout;
  };
  const agentMemory = async () => parseMemory(await asRoot("cat /proc/$agent/status"));

  /** Does the work, and returns by how much the memory of each process grew meanwhile. */
  const measureGrowth = async (work: () => Promise<void>): Promise<Map<string, number>> => {
    await asRoot("echo 5 > /proc/$agent/clear_refs");
    const agentBefore = (await agentMemory()).now;
    await resetPeakMemory(machinePid);
    const hostBefore = new Map<string, number>();
    for (const [name, pid] of hostPids) {
      await resetPeakMemory(pid);
      hostBefore.set(name, (await readMemory(pid)).now);
    }
    await work();
    const growth = new Map<string, number>();
    for (const [name, pid] of hostPids) {
      growth.set(name, (await readMemory(pid)).peak - (hostBefore.get(name) ?? 0));
    }
    return growth
      .set("machine", (await readMemory(machinePid)).peak - guestMemoryMB * mebi)
      .set("agent", (await agentMemory()).peak - agentBefore);
  };

  const assertConstant = (growth: Map<string, number>) => {
    assert.equal(growth.size, hostPids.size + 2);
    for (const [name, bytes] of growth) {
      const most =
        { machine: machineOwnBytesMax, agent: agentGrowthBytesMax }[name] ?? growthBytesMax;
      assert.ok(bytes <= most, `${name}: ${inMebi(bytes)}, at most ${inMebi(most)}`);
    }
  };

  for (const { way, bytes, extent } of [
    { way: "sdk", bytes: (isFullRun ? 2048 : 224) * mebi, extent: "" },
    { way: "signed URL", bytes: 128 * mebi, extent: " (full run)" },
  ] as const) {
    const path = `/workspace/${way === "sdk" ? "by-sdk" : "by-url"}.bin`;
    let sent = "";

    test(`${bytes / mebi} MiB are uploaded by ${way} in constant memory${extent}`, async (t) => {
      const growth = await measureGrowth(async () => {
        const result = await move({ direction: "up", way, path, bytes });
        assert.equal(result.bytes, bytes);
        sent = result.sha256;
      });
      t.diagnostic(describeGrowth(growth));
      assert.equal((await sandbox.exec.run(`stat -c %s ${path}`)).stdout, `${bytes}\n`);
      assertConstant(growth);
    });

    test(`${bytes / mebi} MiB are downloaded by ${way}, byte by byte, in constant memory${extent}`, async (t) => {
      const growth = await measureGrowth(async () => {
        const result = await move({ direction: "down", way, path, bytes });
        assert.deepEqual(result, { bytes, sha256: sent });
      });
      t.diagnostic(describeGrowth(growth));
      assertConstant(growth);
      await sandbox.files.remove(path);
    });
  }
});
