import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { type RunningInstallation, readMachines } from "@opencomputer/harness";
import { Sandbox } from "@opencomputer/sdk";
import { describeRatio, describeSamples, type Figure } from "../figure.ts";
import { median } from "../statistics.ts";
import { readMachineTemplate } from "./machine-template.ts";
import { type FloorRound, measureFloor, openFloorNamespace } from "./measure-floor.ts";

const rounds = 20;
const warmRunsPerRound = 5;
const sandboxesAtOnce = 10;
const firstOutputRatioMax = 1.6;
const warmRunMillisecondsMax = 15;

/**
 * Create and first output, and warm commands, compared with QEMU and the agent
 * without the service.
 */
export async function measureCommands(
  installation: RunningInstallation,
  onRound: (text: string) => void,
): Promise<Figure[]> {
  const connection = { apiUrl: installation.apiUrl, apiKey: installation.apiKey };
  const directory = join(installation.dataDirectory, "worker", "bench-floor");
  const probe = await Sandbox.create(connection);
  const machine = (await readMachines(installation.dataDirectory)).get(probe.sandboxId);
  const template = await readMachineTemplate(machine?.pid ?? 0);
  await probe.kill();

  const firstOutputMs: number[] = [];
  const warmRunMs: number[] = [];
  const floor: FloorRound[] = [];
  const namespace = await openFloorNamespace();
  try {
    for (let round = 1; round <= rounds; round += 1) {
      onRound(`round ${round} of ${rounds}`);
      floor.push(
        ...(await measureFloor({
          template,
          directory,
          socketPath: `/run/opencomputer-bench-${process.pid}.sock`,
          rounds: 1,
          warmRunsPerRound,
        })),
      );
      const startedAt = performance.now();
      const sandbox = await Sandbox.create(connection);
      await sandbox.exec.run("echo ready");
      firstOutputMs.push(performance.now() - startedAt);
      for (let run = 0; run < warmRunsPerRound; run += 1) {
        const runStartedAt = performance.now();
        await sandbox.exec.run("true");
        warmRunMs.push(performance.now() - runStartedAt);
      }
      await sandbox.kill();
    }
  } finally {
    await namespace.end();
    await rm(directory, { recursive: true, force: true });
  }
  const floorFirstMs = floor.map((one) => one.firstOutputMs);
  const floorWarmMs = floor.flatMap((one) => one.warmRunMs);
  const difference = median(warmRunMs) - median(floorWarmMs);
  return [
    describeRatio(
      "create → output of the first command, through the SDK",
      { measured: firstOutputMs, floor: floorFirstMs },
      {
        unit: "ms",
        floorName: "bare QEMU restore + agent",
        bound: { atMost: firstOutputRatioMax },
      },
    ),
    {
      name: 'warm exec.run("true") through the SDK',
      measured: describeSamples(warmRunMs, "ms"),
      floor: `${describeSamples(floorWarmMs, "ms")} (straight to the agent)`,
      result: `floor ${difference < 0 ? "−" : "+"} ${Math.abs(difference).toFixed(1)} ms`,
      mustReach: `≤ floor + ${warmRunMillisecondsMax} ms`,
      reached: difference <= warmRunMillisecondsMax,
    },
  ];
}

/** Create and first output with an empty warm pool: each create includes a restore. */
export async function measureColdCreate(
  installation: RunningInstallation,
  onRound: (text: string) => void,
): Promise<Figure> {
  const connection = { apiUrl: installation.apiUrl, apiKey: installation.apiKey };
  const firstOutputMs: number[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    onRound(`round ${round} of ${rounds}`);
    const startedAt = performance.now();
    const sandbox = await Sandbox.create(connection);
    await sandbox.exec.run("echo ready");
    firstOutputMs.push(performance.now() - startedAt);
    await sandbox.kill();
  }
  return {
    name: "the same with an empty pool (OPENCOMPUTER_WARM_POOL_SIZE=0)",
    measured: describeSamples(firstOutputMs, "ms"),
    floor: "as above",
    result: "—",
    mustReach: "reported",
    reached: null,
  };
}

/** Ten sandboxes at once, and what the second to tenth of them cost in memory while idle. */
export async function measureMany(installation: RunningInstallation): Promise<Figure[]> {
  const connection = { apiUrl: installation.apiUrl, apiKey: installation.apiKey };
  const startedAt = performance.now();
  const sandboxes = await Promise.all(
    Array.from({ length: sandboxesAtOnce }, () => Sandbox.create(connection)),
  );
  const createdMs = performance.now() - startedAt;
  const results = await Promise.all(sandboxes.map((sandbox) => sandbox.exec.run("echo ready")));
  const firstOutputsMs = performance.now() - startedAt;
  const working = results.filter((result) => result.stdout === "ready\n").length;

  const machines = await readMachines(installation.dataDirectory);
  const memory = await Promise.all(
    sandboxes.slice(1).map(({ sandboxId }) => readSharedMemory(machines.get(sandboxId)?.pid ?? 0)),
  );
  for (const sandbox of sandboxes) await sandbox.kill();
  return [
    {
      name: "memory of the 2nd … 10th idle sandbox: proportional share (PSS)",
      measured: describeSamples(
        memory.map((one) => one.proportionalMiB),
        "MiB",
      ),
      floor: "—",
      result: `of which its own alone ${describeSamples(
        memory.map((one) => one.uniqueMiB),
        "MiB",
      )}`,
      mustReach: "reported",
      reached: null,
    },
    {
      name: `${sandboxesAtOnce} sandboxes created at once`,
      measured: `created ${(createdMs / 1000).toFixed(2)} s, all first outputs ${(firstOutputsMs / 1000).toFixed(2)} s`,
      floor: "—",
      result: `${working} of ${sandboxesAtOnce} work`,
      mustReach: "all work",
      reached: working === sandboxesAtOnce,
    },
  ];
}

/** proc(5), `smaps_rollup`: pages by how many processes map them. */
export async function readSharedMemory(
  pid: number,
): Promise<{ proportionalMiB: number; uniqueMiB: number }> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, "utf8");
  const kibibytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s*(\\d+) kB`, "m").exec(rollup)?.[1] ?? Number.NaN);
  return {
    proportionalMiB: kibibytes("Pss") / 1024,
    uniqueMiB: (kibibytes("Private_Clean") + kibibytes("Private_Dirty")) / 1024,
  };
}
