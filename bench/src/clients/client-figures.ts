import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RunningInstallation } from "@opencomputer/harness";
import type { Figure } from "../figure.ts";
import { measureCommandLine } from "./command-line-figure.ts";
import { measurePythonSdk } from "./python-figures.ts";

/** Measures the clients: the start of `oc`, and the overhead of the Python SDK. */
export async function measureClients(
  installation: RunningInstallation,
  onRound: (text: string) => void,
): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), "opencomputer-bench-clients-"));
  try {
    return [
      await measureCommandLine(installation, directory, onRound),
      ...(await measurePythonSdk(installation, directory, onRound)),
    ];
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
