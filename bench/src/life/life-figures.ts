import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type RunningInstallation, readMachines } from "@opencomputer/harness";
import { Image, Sandbox, Snapshots } from "@opencomputer/sdk";
import { z } from "zod";
import { describeSamples, type Figure } from "../figure.ts";
import { readSharedMemory } from "../sandboxes/sandbox-figures.ts";
import { median, pairedRatios } from "../statistics.ts";

const rounds = 15;
const forksAtOnce = 10;
const hibernateSecondsMax = 1.5;
const wakeRatioMax = 2;
const pauseMillisecondsMax = 100;
const forkRatioMax = 1.5;
const imageRatioMax = 1.2;
/** Pause before each measurement, so that the warm machines for a create, fork or wake are ready. */
const restMilliseconds = 2_500;
/** The worker keeps a warm machine for a state that was saved or used in the last two minutes. */
const whileReady = "within two minutes of its last use";
const savedSchema = z.object({ pauseMilliseconds: z.number() });

/** Times of saving and of returning, each compared with a create of the same round. */
export async function measureLife(
  installation: RunningInstallation,
  onRound: (text: string) => void,
): Promise<Figure[]> {
  const connection = { apiUrl: installation.apiUrl, apiKey: installation.apiKey };
  const samples = {
    create: [] as number[],
    hibernate: [] as number[],
    wake: [] as number[],
    pause: [] as number[],
    fork: [] as number[],
    image: [] as number[],
  };
  const snapshots = new Snapshots(connection);
  await snapshots.create({ name: "bench", image: Image.base().runCommands(["true"]) });

  async function timed(work: () => Promise<Sandbox>): Promise<{ ms: number; sandbox: Sandbox }> {
    const startedAt = performance.now();
    const sandbox = await work();
    await sandbox.exec.run("echo ready");
    return { ms: performance.now() - startedAt, sandbox };
  }
  const killAfter = async ({ ms, sandbox }: { ms: number; sandbox: Sandbox }) => {
    await sandbox.kill();
    await delay(restMilliseconds);
    return ms;
  };

  for (let round = 1; round <= rounds; round += 1) {
    onRound(`round ${round} of ${rounds}`);
    const created = await timed(() => Sandbox.create(connection));
    samples.create.push(created.ms);
    const { sandbox } = created;
    const checkpoint = await sandbox.createCheckpoint("bench");
    await waitUntilReady(sandbox, checkpoint.id);
    samples.pause.push(await readPause(installation.dataDirectory, checkpoint.id));
    await delay(restMilliseconds);
    samples.fork.push(
      await killAfter(await timed(() => Sandbox.createFromCheckpoint(checkpoint.id, connection))),
    );
    samples.image.push(
      await killAfter(await timed(() => Sandbox.create({ ...connection, snapshot: "bench" }))),
    );
    const startedAt = performance.now();
    await sandbox.hibernate();
    samples.hibernate.push(performance.now() - startedAt);
    await delay(restMilliseconds);
    samples.wake.push(await killAfter(await timed(async () => sandbox)));
    await sandbox.deleteCheckpoint(checkpoint.id);
  }
  const ratio = (name: "wake" | "fork" | "image") =>
    median(pairedRatios(samples[name], samples.create));
  const row = (name: string, key: "wake" | "fork" | "image", ratioMax: number): Figure => ({
    name,
    measured: describeSamples(samples[key], "ms"),
    floor: `${describeSamples(samples.create, "ms")} (create → first output)`,
    result: `${ratio(key).toFixed(2)} × create`,
    mustReach: `≤ ${ratioMax} × create`,
    reached: ratio(key) <= ratioMax,
  });
  return [
    {
      name: "hibernate, idle default sandbox",
      measured: describeSamples(samples.hibernate, "ms"),
      floor: "—",
      result: `${(median(samples.hibernate) / 1000).toFixed(2)} s`,
      mustReach: `≤ ${hibernateSecondsMax} s`,
      reached: median(samples.hibernate) <= hibernateSecondsMax * 1000,
    },
    row(`wake → output of the first command, ${whileReady}`, "wake", wakeRatioMax),
    {
      name: "pause that a full checkpoint puts on the running sandbox",
      measured: describeSamples(samples.pause, "ms"),
      floor: "—",
      result: `${median(samples.pause).toFixed(0)} ms`,
      mustReach: `≤ ${pauseMillisecondsMax} ms`,
      reached: median(samples.pause) <= pauseMillisecondsMax,
    },
    row(
      `fork of a ready checkpoint → output of the first command, ${whileReady}`,
      "fork",
      forkRatioMax,
    ),
    row(
      `cached image → sandbox → output of the first command, ${whileReady}`,
      "image",
      imageRatioMax,
    ),
    await measureForks(installation),
  ];
}

/** Ten concurrent forks of one checkpoint, and the memory of each while idle. */
async function measureForks(installation: RunningInstallation): Promise<Figure> {
  const connection = { apiUrl: installation.apiUrl, apiKey: installation.apiKey };
  const parent = await Sandbox.create(connection);
  await parent.exec.run("echo ready");
  const checkpoint = await parent.createCheckpoint("bench");
  await waitUntilReady(parent, checkpoint.id);
  const startedAt = performance.now();
  const forks = await Promise.all(
    Array.from({ length: forksAtOnce }, () =>
      Sandbox.createFromCheckpoint(checkpoint.id, connection),
    ),
  );
  const results = await Promise.all(forks.map((fork) => fork.exec.run("echo ready")));
  const seconds = (performance.now() - startedAt) / 1000;
  const working = results.filter(({ stdout }) => stdout === "ready\n").length;
  const machines = await readMachines(installation.dataDirectory);
  const memory = await Promise.all(
    forks.map(({ sandboxId }) => readSharedMemory(machines.get(sandboxId)?.pid ?? 0)),
  );
  for (const sandbox of [...forks, parent]) await sandbox.kill();
  await parent.deleteCheckpoint(checkpoint.id);
  const unique = memory.map(({ uniqueMiB }) => uniqueMiB);
  return {
    name: `${forksAtOnce} forks of one checkpoint at once`,
    measured: `all first outputs ${seconds.toFixed(2)} s`,
    floor: "—",
    result: `${working} of ${forksAtOnce} work; memory of its own alone ${describeSamples(unique, "MiB")}`,
    mustReach: "all work",
    reached: working === forksAtOnce,
  };
}

async function waitUntilReady(sandbox: Sandbox, checkpointId: string): Promise<void> {
  for (;;) {
    const checkpoints = await sandbox.listCheckpoints();
    const status = checkpoints.find(({ id }) => id === checkpointId)?.status;
    if (status === "ready") return;
    if (status !== "processing") throw new Error(`The checkpoint is ${status ?? "gone"}`);
    await delay(20);
  }
}

/** As recorded by the worker. */
async function readPause(dataDirectory: string, checkpointId: string): Promise<number> {
  const path = join(dataDirectory, "worker/checkpoints", checkpointId, "saved.json");
  return savedSchema.parse(JSON.parse(await readFile(path, "utf8"))).pauseMilliseconds;
}
