import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createWriteStream, existsSync } from "node:fs";
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type CommandResult, commandResultSchema } from "@opencomputer/protocol/api";
import {
  type PrepareSandboxRequest,
  programFiles,
  type WorkerStatus,
  workerStatusSchema,
} from "@opencomputer/protocol/wire";
import { Pool } from "undici";
import { readRecord } from "../files/record-kind.ts";
import { type MachineRecord, machineRecordKind } from "../machines/machine-record.ts";
import { runProgram } from "../process/run-program.ts";
import { findBakedInstallation } from "./baked-installation.ts";

const readyTimeoutSeconds = 300;
/** A user that nothing else on the host is. */
const ownUser = { userId: 60_990, groupId: 60_990 };
const idAlphabet = "abcdefghijklmnopqrstuvwxyz234567";

/** A real worker in a process of its own, with its own data, installation and network block. */
export async function startWorkerScene(options: {
  installationId: string;
  block: string;
  /** A command that executes the worker's command, which follows it. */
  launcher?: readonly string[];
  /** Starts with the golden snapshot of the end-to-end tests, where there is one. */
  isBaked?: boolean;
  /** One by default; with none, no machine is made but those that are asked for. */
  warmPoolSize?: 0 | 1;
}) {
  const { installationId, block, launcher = [], isBaked = false, warmPoolSize = 1 } = options;
  const baked = isBaked ? await findBakedInstallation() : undefined;
  const { userId, groupId } = baked ?? ownUser;
  const dataDirectory = await mkdtemp(join(baked?.parentDirectory ?? tmpdir(), "worker-data-"));
  const runtimeDirectory = `/run/opencomputer-${installationId}`;
  const socketPath = join(runtimeDirectory, "worker/worker.sock");
  const hostSocketPath = join(runtimeDirectory, "host/host.sock");
  const logPath = join(dataDirectory, "worker.log");
  await mkdir(dirname(socketPath), { recursive: true });
  await chown(dirname(socketPath), userId, groupId);
  await mkdir(join(dataDirectory, "data"));
  await baked?.linkInto(join(dataDirectory, "data"));
  await chmod(dataDirectory, 0o711);
  const authority = baked?.certificatePem ?? (await makeCertificate(dataDirectory));
  const pool = new Pool("http://worker", { socketPath, headersTimeout: 0, bodyTimeout: 0 });
  let child: ChildProcess | undefined;
  let host: ChildProcess | undefined;

  async function call(method: "GET" | "PUT" | "POST" | "DELETE", path: string, body?: unknown) {
    const isText = typeof body === "string";
    const response = await pool.request({
      method,
      path,
      ...(body === undefined
        ? {}
        : {
            headers: { "content-type": isText ? "application/octet-stream" : "application/json" },
            body: isText ? body : JSON.stringify(body),
          }),
    });
    const text = await response.body.text();
    const isJson = response.headers["content-type"]?.includes("json") === true;
    return { status: response.statusCode, body: isJson ? (JSON.parse(text) as unknown) : text };
  }

  async function status(): Promise<WorkerStatus> {
    return workerStatusSchema.parse((await call("GET", "/v1/status")).body);
  }

  function launch(
    program: "host" | "worker",
    asUser: readonly string[],
    environment: object,
  ): ChildProcess {
    const log = createWriteStream(logPath, { flags: "a" });
    const file = programFiles[program].compiled;
    const path = fileURLToPath(new URL(`../../../../${file}`, import.meta.url));
    const node = [process.execPath, "--enable-source-maps", path];
    const [command = "", ...rest] = [...launcher, ...asUser, ...node];
    const launched = spawn(command, rest, {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        PATH: process.env["PATH"],
        OPENCOMPUTER_DATA_DIR: join(dataDirectory, "data"),
        OPENCOMPUTER_HOST_SOCKET: hostSocketPath,
        OPENCOMPUTER_RUNTIME_DIR: runtimeDirectory,
        OPENCOMPUTER_INSTALLATION_ID: installationId,
        OPENCOMPUTER_NETWORK_BLOCK: block,
        ...environment,
      },
    });
    launched.stdout?.pipe(log);
    launched.stderr?.pipe(log);
    return launched;
  }

  async function start(): Promise<void> {
    await rm(hostSocketPath, { force: true });
    // The service mounts its directories into the worker's root; here it is let through to them.
    await chmod(join(dataDirectory, "data"), 0o711);
    host = launch("host", [], {
      OPENCOMPUTER_WORKER_USER_ID: String(userId),
      OPENCOMPUTER_WORKER_GROUP_ID: String(groupId),
    });
    await until("the host process listens", async () => {
      if (host?.exitCode !== null) throw new Error(await readFile(logPath, "utf8"));
      return existsSync(hostSocketPath);
    });
    const asWorker = ["setpriv", `--reuid=${userId}`, `--regid=${groupId}`];
    const privileges = ["--clear-groups", "--no-new-privs", "--bounding-set=-all"];
    child = launch("worker", [...asWorker, ...privileges, "--inh-caps=-all"], {
      OPENCOMPUTER_ACCEL: process.env["OPENCOMPUTER_ACCEL"],
      OPENCOMPUTER_WORKER_SOCKET: socketPath,
      OPENCOMPUTER_GUEST_IMAGE_DIR: new URL("../../../../guest-image/build", import.meta.url)
        .pathname,
      OPENCOMPUTER_WARM_POOL_SIZE: String(warmPoolSize),
    });
    await until("the worker listens", async () => {
      if (child?.exitCode !== null) throw new Error(await readFile(logPath, "utf8"));
      return await status().then(
        () => true,
        () => false,
      );
    });
  }

  async function trust(): Promise<void> {
    const response = await call("PUT", "/v1/trust", { certificatePem: authority });
    if (response.status !== 204) throw new Error(JSON.stringify(response));
    await until("the worker is ready", async () => {
      const { ready, failure } = await status();
      if (failure !== null) throw new Error(failure);
      return ready;
    });
  }

  return {
    authority,
    dataDirectory: join(dataDirectory, "data"),
    runtimeDirectory,
    call,
    status,
    start,
    trust,
    log: () => readFile(logPath, "utf8"),

    /** Prepares the data directory, or mounts something at it, before the worker starts. */
    async makeDataDirectory(): Promise<string> {
      await mkdir(join(dataDirectory, "data"), { recursive: true });
      return join(dataDirectory, "data");
    },

    /** Ends the worker, then the host process, and returns once they are gone. */
    async stop(signal: "SIGTERM" | "SIGKILL"): Promise<number | null> {
      const exitCode = await end(child, signal);
      await end(host, signal);
      return exitCode;
    },

    async prepare(overrides: Partial<PrepareSandboxRequest> = {}): Promise<PrepareSandboxRequest> {
      const spec = { ...specOf(newSandboxId()), ...overrides };
      const response = await call("POST", "/v1/sandboxes", spec);
      if (response.status !== 201) throw new Error(JSON.stringify(response));
      return spec;
    },

    async create(overrides: Partial<PrepareSandboxRequest> = {}): Promise<string> {
      const { sandboxId } = await this.prepare(overrides);
      const response = await call("POST", `/v1/sandboxes/${sandboxId}/start`);
      if (response.status !== 200) throw new Error(JSON.stringify(response));
      return sandboxId;
    },

    async run(sandboxId: string, cmd: string, more: object = {}): Promise<CommandResult> {
      const response = await call("POST", `/v1/sandboxes/${sandboxId}/exec/run`, { cmd, ...more });
      if (response.status !== 200) throw new Error(JSON.stringify(response));
      return commandResultSchema.parse(response.body);
    },

    /** The machine of a sandbox, from its record. */
    async recordOf(sandboxId: string): Promise<MachineRecord> {
      const machines = join(dataDirectory, "data/worker/machines");
      for (const name of await readdir(machines)) {
        const record = await readRecord(join(machines, name, "machine.json"), machineRecordKind);
        if (record?.sandbox?.sandboxId === sandboxId) return record;
      }
      throw new Error(`There is no machine of ${sandboxId}`);
    },

    layers: () => readdir(join(dataDirectory, "data/worker/layers")),

    /** Names of all that the installation has on the host at this moment. */
    async traces() {
      const links = await runProgram("ip", ["-brief", "link"]);
      const namespaces = await runProgram("ip", ["netns", "list"]);
      const tables = await runProgram("nft", ["list", "tables"]);
      const addresses = await runProgram("ip", ["-brief", "addr", "show", "dev", "lo"]);
      const ours = (text: string) =>
        text.split("\n").filter((line) => line.includes(installationId));
      return {
        processes: await processesOf(installationId),
        links: ours(links),
        namespaces: ours(namespaces),
        tables: ours(tables),
        egressAddresses: addresses.split(/\s+/).filter((word) => word === `${egressOf(block)}/32`),
        cgroups: await cgroupsOf(installationId),
        sockets: await readdir(join(runtimeDirectory, "machines")),
        machines: await readdir(join(dataDirectory, "data/worker/machines")),
      };
    },

    async close(): Promise<void> {
      await pool.destroy();
      await rm(dataDirectory, { recursive: true, force: true });
      await rm(runtimeDirectory, { recursive: true, force: true });
    },
  };
}

export type WorkerScene = Awaited<ReturnType<typeof startWorkerScene>>;

export function newSandboxId(): string {
  return `sb-${Array.from({ length: 20 }, () => idAlphabet[randomInt(32)]).join("")}`;
}

export function specOf(sandboxId: string): PrepareSandboxRequest {
  return {
    sandboxId,
    cpuCount: 1,
    memoryMB: 1024,
    diskMB: null,
    egressMode: "allowlisted",
    envs: { GREETING: "hello" },
    checkpointId: null,
  };
}

/** Asks until it is so. @throws {Error} after five minutes. */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + readyTimeoutSeconds * 1000;
  while (!(await isSo())) {
    if (Date.now() > deadline)
      throw new Error(`Waited ${readyTimeoutSeconds} seconds until ${what}`);
    await delay(50);
  }
}

async function end(
  child: ChildProcess | undefined,
  signal: "SIGTERM" | "SIGKILL",
): Promise<number | null> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return null;
  const exited = once(child, "exit");
  child.kill(signal);
  await exited;
  return child.exitCode;
}

/** Process numbers of the installation's machines. */
export async function processesOf(installationId: string): Promise<number[]> {
  const found: number[] = [];
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const commandLine = await readFile(`/proc/${entry}/cmdline`, "utf8").catch(() => "");
    const isMachine = commandLine.startsWith("qemu-system");
    const isOurs = commandLine.includes(`\0opencomputer-${installationId}-`);
    if (isMachine && isOurs) found.push(Number(entry));
  }
  return found;
}

async function cgroupsOf(installationId: string): Promise<string[]> {
  const output = await runProgram("find", [
    ...["/sys/fs/cgroup", "-type", "d"],
    ...["-path", `*opencomputer-${installationId}*`],
  ]);
  return output.split("\n").filter((line) => line !== "");
}

function egressOf(block: string): string {
  return block.replace(/\.0\/\d+$/, ".1");
}

async function makeCertificate(directory: string): Promise<string> {
  const path = join(directory, "authority.pem");
  await runProgram("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
    ...["-keyout", "/dev/null", "-out", path, "-days", "3650"],
    ...["-subj", "/CN=OpenComputer worker test"],
  ]);
  return readFile(path, "utf8");
}
