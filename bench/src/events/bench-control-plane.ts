import { fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { findFreePort } from "@opencomputer/harness";
import { programFiles } from "@opencomputer/protocol/wire";

const pollMilliseconds = 50;

/** The real control plane, with neither a worker nor a supervisor. */
export interface BenchControlPlane {
  readonly connection: { readonly apiUrl: string; readonly apiKey: string };
  stop(): Promise<void>;
}

export async function startBenchControlPlane({
  databaseUrl,
  egressProxySocket,
}: {
  databaseUrl: string;
  egressProxySocket: string;
}): Promise<BenchControlPlane> {
  const directory = await mkdtemp(join(tmpdir(), "opencomputer-bench-"));
  const port = await findFreePort();
  const apiKey = `osb_${randomBytes(32).toString("hex")}`;
  const child = fork(
    fileURLToPath(new URL(`../../../${programFiles["control-plane"].compiled}`, import.meta.url)),
    {
      env: {
        PATH: process.env["PATH"],
        DATABASE_URL: databaseUrl,
        OPENCOMPUTER_API_KEY: apiKey,
        OPENCOMPUTER_DATA_DIR: join(directory, "data"),
        OPENCOMPUTER_EGRESS_PROXY_SOCKETS: egressProxySocket,
        OPENCOMPUTER_HOST: "127.0.0.1",
        OPENCOMPUTER_LOG_LEVEL: "error",
        OPENCOMPUTER_PORT: String(port),
        OPENCOMPUTER_WORKER_SOCKET: join(directory, "no-worker.sock"),
      },
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    },
  );
  const apiUrl = `http://127.0.0.1:${port}`;
  while (!(await isListening(apiUrl))) {
    if (child.exitCode !== null) {
      throw new Error(`The control plane ended with exit code ${child.exitCode}`);
    }
    await delay(pollMilliseconds);
  }
  return {
    connection: { apiUrl, apiKey },
    async stop() {
      const ended = once(child, "exit");
      child.kill();
      await ended;
      await rm(directory, { recursive: true });
    },
  };
}

async function isListening(apiUrl: string): Promise<boolean> {
  try {
    await (await fetch(`${apiUrl}/health`)).arrayBuffer();
    return true;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}
