import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { RunningInstallation } from "@opencomputer/harness";
import { Sandbox } from "@opencomputer/sdk";
import { z } from "zod";
import { describeSamples, type Figure } from "../figure.ts";
import { measureInTurns, type PairedSamples } from "../in-turns.ts";
import { median, pairedRatios } from "../statistics.ts";
import { runToEnd } from "./run-to-end.ts";

const rounds = 20;
const warmRunsPerRound = 5;
const ratioMax = 1.1;
const projectDirectory = fileURLToPath(new URL("../../../", import.meta.url));

const roundSchema = z.object({
  firstOutputMilliseconds: z.number(),
  /** The median of the round's runs. */
  warmRunMilliseconds: z.number(),
});
type Round = z.infer<typeof roundSchema>;

/** Alternates between the Python SDK and the TypeScript SDK, each in one process with one sandbox. */
export async function measurePythonSdk(
  { apiUrl, apiKey }: RunningInstallation,
  directory: string,
  onRound: (text: string) => void,
): Promise<Figure[]> {
  onRound("installing the Python SDK");
  const environment = join(directory, "python");
  await runToEnd("python3", ["-m", "venv", environment]);
  const python = join(environment, "bin/python");
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
  await runToEnd(python, [...pip, join(projectDirectory, "sdk-python")]);
  const script = join(directory, "rounds.py");
  await copyFile(join(projectDirectory, "bench/src/clients/rounds.py"), script);

  const client = spawn(python, [script, String(warmRunsPerRound)], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, OPENCOMPUTER_API_URL: apiUrl, OPENCOMPUTER_API_KEY: apiKey },
  });
  const lines = createInterface({ input: client.stdout })[Symbol.asyncIterator]();
  const ofPython = async (): Promise<Round> => {
    client.stdin.write("round\n");
    const line = await lines.next();
    if (line.done) throw new Error("The Python client ended: see its error above");
    return roundSchema.parse(JSON.parse(line.value));
  };
  try {
    const samples = await measureInTurns({
      rounds,
      measured: ofPython,
      floor: () => typeScriptRound({ apiUrl, apiKey }),
      onRound: (text) => onRound(`Python and TypeScript SDK: ${text}`),
    });
    return [
      describe("Python SDK: create → output of the first command", samples, "firstOutput"),
      describe('Python SDK: warm exec.run("true")', samples, "warmRun"),
    ];
  } finally {
    client.stdin.end();
    if (client.exitCode === null) await once(client, "exit");
  }
}

async function typeScriptRound(connection: { apiUrl: string; apiKey: string }): Promise<Round> {
  const startedAt = performance.now();
  const sandbox = await Sandbox.create(connection);
  await sandbox.exec.run("echo ready");
  const firstOutputMilliseconds = performance.now() - startedAt;
  const warmRuns: number[] = [];
  for (let run = 0; run < warmRunsPerRound; run += 1) {
    const runStartedAt = performance.now();
    await sandbox.exec.run("true");
    warmRuns.push(performance.now() - runStartedAt);
  }
  await sandbox.kill();
  return { firstOutputMilliseconds, warmRunMilliseconds: median(warmRuns) };
}

function describe(
  name: string,
  { measured, floor }: PairedSamples<Round>,
  part: "firstOutput" | "warmRun",
): Figure {
  const times = (rounds: readonly Round[]) => rounds.map((round) => round[`${part}Milliseconds`]);
  const ratio = median(pairedRatios(times(measured), times(floor)));
  return {
    name,
    measured: describeSamples(times(measured), "ms"),
    floor: `${describeSamples(times(floor), "ms")} (TypeScript SDK)`,
    result: `${ratio.toFixed(2)} × the TypeScript SDK`,
    mustReach: `≤ ${ratioMax} × the TypeScript SDK`,
    reached: ratio <= ratioMax,
  };
}
