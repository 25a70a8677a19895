import { z } from "zod";
import { type Confinement, confined } from "../process/confinement.ts";
import { runProgram } from "../process/run-program.ts";

/** What a probe is asked to try. */
export interface ProbeTask {
  readonly paths: readonly string[];
  /** Names of abstract Unix sockets. */
  readonly abstractSockets: readonly string[];
  readonly unixSockets: readonly string[];
  readonly processIds: readonly number[];
}

const findingsSchema = z.object({
  readable: z.array(z.string()),
  writable: z.array(z.string()),
  connectable: z.array(z.string()),
  signalable: z.array(z.int()),
  interfaces: z.array(z.string()),
  sharedMemory: z.string(),
});
/** What of its task a probe could do; its network interfaces, and the shared memory that it finds. */
export type Findings = z.infer<typeof findingsSchema>;

const probe = { source: process.execPath, target: "/usr/bin/probe", access: "read" } as const;
const sharedMemoryLister = {
  source: "/usr/bin/ipcs",
  target: "/usr/bin/ipcs",
  access: "read",
} as const;

/** Runs a probe instead of a confined program. */
export async function probeConfined(confinement: Confinement, task: ProbeTask): Promise<Findings> {
  const mounts = [...confinement.mounts, probe, sharedMemoryLister];
  const command = ["setpriv", probe.target, "-e", script(task)];
  // What is preloaded binds QEMU's own code, and not code that broke out.
  return run(
    confined(command, { ...confinement, mounts, environment: {}, reportDescriptor: null }),
  );
}

/** Runs the same probe with the host's files, processes and network. */
export function probeHost(userId: number, task: ProbeTask): Promise<Findings> {
  const user = [`--reuid=${userId}`, `--regid=${userId}`, "--clear-groups"];
  const privileges = ["--inh-caps=-all", "--no-new-privs"];
  return run(["setpriv", ...user, ...privileges, process.execPath, "-e", script(task)]);
}

/** Every file below the root of a confinement, but for libraries, as root lists them. */
export async function listConfined(confinement: Confinement): Promise<string[]> {
  const list = `const { readdirSync } = require("node:fs");
const walk = (directory) => readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
  const path = directory + entry.name;
  return entry.isDirectory() && path !== "/usr/lib" && path !== "/usr/lib64" ? walk(path + "/") : [path];
});
console.log(JSON.stringify(walk("/")));`;
  const mounts = [...confinement.mounts, probe];
  const command = ["setpriv", probe.target, "-e", list];
  const [program = "", ...rest] = confined(command, {
    ...{ ...confinement, mounts, reportDescriptor: null },
    user: { userId: 0, groupId: 0, otherGroupIds: [] },
  });
  return z.array(z.string()).parse(JSON.parse(await runProgram(program, rest)));
}

async function run([program = "", ...rest]: string[]): Promise<Findings> {
  return findingsSchema.parse(JSON.parse(await runProgram(program, rest)));
}

function script(task: ProbeTask): string {
  return `const { closeSync, openSync, writeSync } = require("node:fs");
const { connect } = require("node:net");
const can = (attempt) => { try { attempt(); return true; } catch { return false; } };
const reads = (path) => can(() => closeSync(openSync(path, "r")));
const writes = (path) => can(() => writeSync(openSync(path, "r+"), "x"));
const connects = (path) => new Promise((resolve) => {
  const socket = connect({ path });
  socket.on("connect", () => { socket.destroy(); resolve(true); }).on("error", () => resolve(false));
});
(async () => {
  const task = ${JSON.stringify(task)};
  const connectable = [];
  for (const name of task.abstractSockets) if (await connects("\\0" + name)) connectable.push(name);
  for (const path of task.unixSockets) if (await connects(path)) connectable.push(path);
  console.log(JSON.stringify({
    readable: task.paths.filter(reads),
    writable: task.paths.filter(writes),
    connectable,
    signalable: task.processIds.filter((pid) => can(() => process.kill(pid, 0))),
    interfaces: Object.keys(require("node:os").networkInterfaces()),
    sharedMemory: require("node:child_process").execFileSync("/usr/bin/ipcs", ["-m"], { encoding: "utf8" }),
  }));
})();`;
}
