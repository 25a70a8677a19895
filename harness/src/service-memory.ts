import { readdir } from "node:fs/promises";
import { programFiles } from "@opencomputer/protocol/wire";
import { listMachines } from "./host-resources.ts";
import type { RunningInstallation } from "./installation.ts";
import { readProcFile } from "./proc-file.ts";

/** Memory in bytes by process of the service: `worker`, `database`, `machines`, … */
export type ServiceMemory = Record<string, number>;

interface ProcessEntry {
  readonly pid: number;
  readonly parentPid: number;
  readonly commandLine: string;
}

/**
 * The proportional set size of everything that an installation runs: the
 * supervisor and all its descendants, and the machines, which are their own
 * session and may have lost their parent.
 */
export async function readProportionalMemory(
  installation: RunningInstallation,
): Promise<ServiceMemory> {
  const processes = await listProcesses();
  const machines = new Set(await listMachines(installation));
  const ours = new Set([...machines, ...(await installation.pidsOf("supervisor"))]);
  for (let found = -1; found !== ours.size; ) {
    found = ours.size;
    for (const { pid, parentPid } of processes) if (ours.has(parentPid)) ours.add(pid);
  }
  const memory: ServiceMemory = {};
  for (const entry of processes) {
    if (!ours.has(entry.pid)) continue;
    const name = machines.has(entry.pid) ? "machines" : nameOf(entry.commandLine);
    memory[name] = (memory[name] ?? 0) + (await readProportionalSetSize(entry.pid));
  }
  return memory;
}

/** proc(5), `/proc/pid/smaps_rollup`: `Pss`, in bytes; 0 for a process that has ended. */
async function readProportionalSetSize(pid: number): Promise<number> {
  const text = await readProcFile(`/proc/${pid}/smaps_rollup`);
  return Number(/^Pss:\s*(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
}

function nameOf(commandLine: string): string {
  const program = Object.entries(programFiles).find(([, { compiled }]) =>
    commandLine.includes(`/${compiled}`),
  );
  if (program !== undefined) return program[0];
  if (commandLine.includes("qemu-system")) return "machines";
  return /postgres/.test(commandLine) ? "database" : "other";
}

async function listProcesses(): Promise<ProcessEntry[]> {
  const entries = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  return await Promise.all(
    entries.map(async (name) => {
      const status = await readProcFile(`/proc/${name}/status`);
      return {
        pid: Number(name),
        parentPid: Number(/^PPid:\s*(\d+)$/m.exec(status)?.[1] ?? 0),
        commandLine: (await readProcFile(`/proc/${name}/cmdline`)).replaceAll("\0", " "),
      };
    }),
  );
}
