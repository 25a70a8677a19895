import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, readlink } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { programFiles, type ServiceProgram } from "@opencomputer/protocol/wire";
import { z } from "zod";
import { readProcFile } from "./proc-file.ts";

/** A checkout that is set up, and the Node to run it. */
interface Program {
  readonly checkout: string;
  readonly node: string;
  /** What is run: the compiled code, or the sources as by `npm run dev`. */
  readonly code: "compiled" | "source";
}

const ownProgram: Program = {
  checkout: fileURLToPath(new URL("../..", import.meta.url)),
  node: process.execPath,
  code: "compiled",
};
const pollMilliseconds = 100;
const stopMilliseconds = 60_000;
const outputCharactersKept = 20_000;
const installationSchema = z.object({ id: z.string() });
const apiHealthSchema = z.object({ ready: z.boolean() });

/** The service as `npm run serve` starts it, in a process of its own. */
export interface RunningInstallation {
  readonly dataDirectory: string;
  /** 8 hexadecimal digits: part of every name that the installation makes on the host. */
  readonly id: string;
  readonly apiUrl: string;
  readonly apiKey: string;
  /** What the service printed so far. */
  output(): string;
  /** Process ids of a part of the service, such as `worker`. */
  pidsOf(name: ServiceProgram): Promise<number[]>;
  /** Ends a part with SIGKILL, and waits until it is gone; the supervisor starts another one. */
  kill(name: ServiceProgram): Promise<void>;
  /** Waits until sandboxes can be made: right after the start, or after a part was killed. */
  untilReady(): Promise<void>;
  /** SIGTERM, and waits for the end. */
  stop(): Promise<void>;
  /** Null while it runs. */
  exitCode(): number | null;
}

/**
 * Starts the service on a data directory and waits until it is ready.
 * `environment` holds settings besides the data directory and the port.
 */
export async function startInstallation({
  dataDirectory,
  environment = {},
  port,
  program = ownProgram,
  onOutput,
}: {
  dataDirectory: string;
  environment?: Record<string, string>;
  /** A free one when absent. */
  port?: number;
  /** This checkout and this Node when absent. */
  program?: Program;
  onOutput?: (text: string) => void;
}): Promise<RunningInstallation> {
  const apiPort = port ?? (await findFreePort());
  const apiUrl = `http://127.0.0.1:${apiPort}`;
  const nodeOption = { compiled: "--enable-source-maps", source: "--conditions=source" }[
    program.code
  ];
  const mainFile = programFiles.supervisor[program.code];
  const child = spawn(program.node, [nodeOption, join(program.checkout, mainFile)], {
    env: {
      PATH: process.env["PATH"] ?? "",
      OPENCOMPUTER_DATA_DIR: dataDirectory,
      OPENCOMPUTER_PORT: String(apiPort),
      ...environment,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-outputCharactersKept);
      onOutput?.(text);
    });
  }
  const untilReady = async () => {
    while (!(await isReady(apiUrl))) {
      if (child.exitCode !== null) {
        throw new Error(`The service ended with exit code ${child.exitCode}:\n${output}`);
      }
      await new Promise((resolve) => setTimeout(resolve, pollMilliseconds));
    }
  };
  await untilReady();

  return {
    dataDirectory,
    id: await installationId(dataDirectory),
    apiUrl,
    apiKey:
      environment["OPENCOMPUTER_API_KEY"] ??
      (await readFile(join(dataDirectory, "api-key"), "utf8")).trim(),
    output: () => output,
    pidsOf: (name) => findProcesses(dataDirectory, name),
    async kill(name) {
      const pids = await findProcesses(dataDirectory, name);
      if (pids.length === 0) throw new Error(`No ${name} runs that could be killed`);
      for (const pid of pids) {
        process.kill(pid, "SIGKILL");
        await untilGone(pid);
      }
    },
    untilReady,
    stop: () => stopChild(child),
    exitCode: () => child.exitCode,
  };
}

/**
 * Waits until a process is gone for its parent, too. Before that its sockets may still be open:
 * what is sent to them is lost, and whoever sent it cannot know whether it took effect.
 */
export async function untilGone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ESRCH") return;
      throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, pollMilliseconds));
  }
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, "close");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), stopMilliseconds);
  await closed;
  clearTimeout(timer);
}

async function isReady(apiUrl: string): Promise<boolean> {
  try {
    const response = await fetch(`${apiUrl}/health`);
    const health = apiHealthSchema.safeParse(await response.json());
    return health.success && health.data.ready;
  } catch (error) {
    // Nothing listens yet.
    if (error instanceof TypeError || error instanceof SyntaxError) return false;
    throw error;
  }
}

/** The id that `packages/standalone` keeps in a data directory. */
async function installationId(dataDirectory: string): Promise<string> {
  const text = await readFile(join(dataDirectory, "installation.json"), "utf8");
  return installationSchema.parse(JSON.parse(text)).id;
}

/** The processes of one part whose environment names this data directory or its sockets. */
async function findProcesses(dataDirectory: string, name: ServiceProgram): Promise<number[]> {
  const id = await installationId(dataDirectory);
  const mainFiles = Object.values<string>({ ...programFiles[name] });
  const found: number[] = [];
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    // Tests ask often, and few processes of a host pass the first question.
    const executable = await readlink(`/proc/${entry}/exe`).catch(() => "");
    if (!executable.endsWith("/node")) continue;
    const commandLine = await readProcFile(`/proc/${entry}/cmdline`);
    if (!mainFiles.some((file) => commandLine.includes(`/${file}`))) continue;
    const environment = await readProcFile(`/proc/${entry}/environ`);
    const isOurs = environment.includes(dataDirectory) || environment.includes(`-${id}/`);
    if (isOurs) found.push(Number(entry));
  }
  return found;
}

/** A TCP port of the loopback address that nobody listens on. */
export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
