import { readFile } from "node:fs/promises";
import {
  type RunningInstallation,
  readMachines,
  readMemory,
  resetPeakMemory,
} from "@opencomputer/harness";
import { guestNetwork } from "@opencomputer/protocol/wire";
import { Sandbox } from "@opencomputer/sdk";
import { z } from "zod";
import { describeSamples, type Figure } from "../figure.ts";
import { measureInTurns } from "../in-turns.ts";
import { openSlotOutput, runProgram } from "../slot-namespace.ts";
import { median, pairedRatios } from "../statistics.ts";
import type { HttpTask } from "./http-client.js";

const port = 8000;
const rounds = 5;
const connections = 32;
const roundMilliseconds = 5_000;
const downloadBytes = 1024 ** 3;
const mebi = 1024 ** 2;
const ratioMin = 0.5;
const attemptsMax = 20;
const growthBytesMax = 32 * mebi;

/** A preview, compared with requests to the same server from the slot's network namespace. */
export async function measurePreviews(
  installation: RunningInstallation,
  onRound: (text: string) => void,
): Promise<Figure[]> {
  const connection = { apiUrl: installation.apiUrl, apiKey: installation.apiKey };
  const sandbox = await Sandbox.create({ ...connection, timeout: 0 });
  const server = await readFile(
    new URL("../../src/previews/http-server.py", import.meta.url),
    "utf8",
  );
  await sandbox.files.write("/tmp/server.py", server);
  await sandbox.exec.startDetached("exec python3 /tmp/server.py");
  const { hostname } = await sandbox.createPreviewURL({ port });
  const api = new URL(installation.apiUrl);
  const machines = await readMachines(installation.dataDirectory);
  const machine = machines.get(sandbox.sandboxId);
  if (machine === undefined) throw new Error("The sandbox has no machine");
  const preview: Target = {
    hostname: api.hostname,
    port: Number(api.port),
    host: hostname,
    namespaceOf: null,
  };
  const straight: Target = {
    hostname: guestNetwork.guestAddress,
    port,
    host: hostname,
    namespaceOf: machine.pid,
  };
  await openSlotOutput(machine.pid, "tcp", "dport", String(port));
  for (const target of [preview, straight]) await waitFor(target);

  const rates = await measureInTurns({
    rounds,
    measured: () => load(preview),
    floor: () => load(straight),
    onRound: (text) => onRound(`requests: ${text}`),
  });
  const pids = await Promise.all(
    (["control-plane", "worker", "egress-proxy"] as const).map(async (name) => {
      const [pid = 0] = await installation.pidsOf(name);
      return [name, pid] as const;
    }),
  );
  await download(preview, 64 * mebi);
  const before = await Promise.all(pids.map(async ([, pid]) => (await readMemory(pid)).now));
  for (const [, pid] of pids) await resetPeakMemory(pid);
  onRound("download through the preview");
  const through = await download(preview, downloadBytes);
  const grown = await Promise.all(
    pids.map(async ([, pid], index) => (await readMemory(pid)).peak - (before[index] ?? 0)),
  );
  onRound("download straight");
  const past = await download(straight, downloadBytes);
  await sandbox.kill();

  const ratio = median(pairedRatios(rates.measured, rates.floor));
  const largest = Math.max(...grown);
  const inMebi = (bytes: number) => (bytes / mebi).toFixed(1);
  return [
    {
      name: `preview, ${connections} connections, small body`,
      measured: describeSamples(rates.measured, "requests/s"),
      floor: `${describeSamples(rates.floor, "requests/s")} (straight at the slot)`,
      result: `${ratio.toFixed(2)} × straight`,
      mustReach: `≥ ${ratioMin} × straight`,
      reached: ratio >= ratioMin,
    },
    {
      name: "preview download, 1 GiB: growth of the largest process",
      measured: pids.map(([name], index) => `${name} ${inMebi(grown[index] ?? 0)}`).join(", "),
      floor: "—",
      result: `${inMebi(largest)} MiB`,
      mustReach: `≤ ${growthBytesMax / mebi} MiB`,
      reached: largest <= growthBytesMax,
    },
    {
      name: "preview download, 1 GiB: rate",
      measured: `${inMebi(through)} MiB/s`,
      floor: `${inMebi(past)} MiB/s (straight at the slot)`,
      result: `${(through / past).toFixed(2)} × straight`,
      mustReach: "reported",
      reached: null,
    },
  ];
}

const resultSchema = z.object({ requestsPerSecond: z.number(), bytesPerSecond: z.number() });
type HttpResult = z.infer<typeof resultSchema>;

/** Target of requests, and the process in whose network namespace they are sent; null for the bench. */
interface Target {
  hostname: string;
  port: number;
  host: string;
  namespaceOf: number | null;
}

const load = async (target: Target) =>
  (await runClient(target, { path: "/", connections, milliseconds: roundMilliseconds }))
    .requestsPerSecond;
const download = async (target: Target, bytes: number) =>
  (await runClient(target, { path: `/${bytes}`, connections: 1, milliseconds: 0 })).bytesPerSecond;

async function runClient(
  { namespaceOf, ...address }: Target,
  work: Pick<HttpTask, "path" | "connections" | "milliseconds">,
): Promise<HttpResult> {
  const task: HttpTask = { ...address, ...work };
  const program = new URL("./http-client.js", import.meta.url);
  const output = await runProgram(program, task, { machinePid: namespaceOf });
  return resultSchema.parse(JSON.parse(output));
}

async function waitFor(target: Target): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await download(target, 0);
      return;
    } catch (error) {
      if (attempt === attemptsMax) throw error;
    }
  }
}
