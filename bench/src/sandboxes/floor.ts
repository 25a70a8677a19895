import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, open, rm } from "node:fs/promises";
import { Agent, request } from "node:http";
import { join } from "node:path";
import { agentPort } from "@opencomputer/protocol/api";
import { agentRunResponseSchema, guestNetwork } from "@opencomputer/protocol/wire";
import { z } from "zod";
import { machineTemplateSchema, twinCommand } from "./machine-template.ts";
import { openMonitor } from "./monitor.ts";

// The floor of a sandbox, in a separate network namespace: QEMU restores the
// golden snapshot, and requests go directly to the agent. The first argument has
// the settings as JSON; each round prints one line of JSON.
const settingsSchema = z.object({
  template: machineTemplateSchema,
  /** As deep below the data directory as the layers of disks are: backing paths are relative. */
  directory: z.string(),
  socketPath: z.string(),
  rounds: z.int(),
  warmRunsPerRound: z.int(),
});
export type FloorSettings = z.infer<typeof settingsSchema>;

const statusSchema = z.object({ status: z.string() });
const retryMilliseconds = 2;
/** Time after which a machine that does not start is an error. */
const roundMillisecondsMax = 60_000;
const settings = settingsSchema.parse(JSON.parse(process.argv[2] ?? "{}"));
for (let round = 0; round < settings.rounds; round += 1) {
  process.stdout.write(`${JSON.stringify(await measureRound())}\n`);
}

async function measureRound(): Promise<{ firstOutputMs: number; warmRunMs: number[] }> {
  const diskPath = join(settings.directory, "disk.qcow2");
  await mkdir(settings.directory, { recursive: true });
  const state = await open(settings.template.statePath);
  const agent = new Agent({ keepAlive: true });
  const startedAt = performance.now();
  await copyFile(settings.template.overlayPath, diskPath);
  const [program = "", ...programArguments] = twinCommand(settings.template, {
    diskPath,
    socketPath: settings.socketPath,
  });
  const qemu = spawn(program, programArguments, {
    stdio: ["ignore", "ignore", "inherit", state.fd],
    timeout: roundMillisecondsMax,
    killSignal: "SIGKILL",
  });
  try {
    const monitor = await openMonitor(settings.socketPath);
    await monitor.execute("migrate-incoming", { uri: "fd:3" });
    while (statusSchema.parse(await monitor.execute("query-status")).status === "inmigrate") {
      await pause();
    }
    await monitor.execute("cont");
    await runTrue(agent, "echo ready");
    const firstOutputMs = performance.now() - startedAt;
    const warmRunMs: number[] = [];
    for (let run = 0; run < settings.warmRunsPerRound; run += 1) {
      const runStartedAt = performance.now();
      await runTrue(agent, "true");
      warmRunMs.push(performance.now() - runStartedAt);
    }
    monitor.close();
    return { firstOutputMs, warmRunMs };
  } finally {
    agent.destroy();
    qemu.kill("SIGKILL");
    await once(qemu, "close");
    await state.close();
    await rm(settings.socketPath, { force: true });
    await rm(diskPath, { force: true });
  }
}

async function runTrue(agent: Agent, script: string): Promise<void> {
  const body = JSON.stringify({
    command: ["/bin/bash", "-c", script],
    environment: {},
    workingDirectory: null,
    timeoutMilliseconds: 60_000,
    outputBytesMax: 1024 * 1024,
    asRoot: false,
  });
  const outgoing = request({
    agent,
    host: guestNetwork.guestAddress,
    port: agentPort,
    method: "POST",
    path: "/v1/exec/run",
    headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
  });
  outgoing.end(body);
  const [response] = await once(outgoing, "response");
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  const result = agentRunResponseSchema.parse(JSON.parse(Buffer.concat(chunks).toString()));
  if (result.exitCode !== 0) throw new Error(`${script} ended with ${result.exitCode}`);
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, retryMilliseconds));
}
