import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { promisify } from "node:util";
import { listHostResources } from "./host-resources.ts";
import type { RunningInstallation } from "./installation.ts";
import { listEntries } from "./list-entries.ts";
import { readMemory } from "./process-memory.ts";

const run = promisify(execFile);
const parts = ["supervisor", "control-plane", "worker", "host", "egress-proxy"] as const;

/**
 * How many things of each kind an installation holds. Two counts of an idle
 * installation are equal, whatever it did between them, or something leaked.
 */
export type ResourceCounts = Record<string, number>;

/** Counts processes, namespaces, interfaces, filters, control groups, files and file descriptors. */
export async function countResources(installation: RunningInstallation): Promise<ResourceCounts> {
  const counts: ResourceCounts = {};
  for (const line of await listHostResources(installation)) {
    const kind = /^(process|namespace|interface|filter|control group)/.exec(line)?.[0] ?? "other";
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  counts["filter rules and elements"] = await countFilterLines(installation.id);
  counts["files of the worker"] = await countEntries(`${installation.dataDirectory}/worker`);
  counts["sockets"] = await countEntries(`/run/opencomputer-${installation.id}`);
  for (const part of parts) {
    for (const pid of await installation.pidsOf(part)) {
      counts[`file descriptors of ${part}`] = (await readdir(`/proc/${pid}/fd`)).length;
    }
  }
  return counts;
}

/** Resident memory of each process of the service, in bytes. */
export async function readServiceMemory(
  installation: RunningInstallation,
): Promise<Record<string, number>> {
  const memory: Record<string, number> = {};
  for (const part of parts) {
    for (const pid of await installation.pidsOf(part)) {
      memory[part] = (await readMemory(pid)).now;
    }
  }
  return memory;
}

async function countFilterLines(id: string): Promise<number> {
  const { stdout: tables } = await run("nft", ["list", "tables"]);
  let lines = 0;
  for (const table of tables.split("\n").filter((line) => line.includes(id))) {
    const [, family = "", name = ""] = table.trim().split(" ");
    const { stdout } = await run("nft", ["list", "table", family, name]);
    lines += stdout.split(/[\n,]/).length;
  }
  return lines;
}

async function countEntries(directory: string): Promise<number> {
  let count = 0;
  for await (const _ of listEntries(directory)) count += 1;
  return count;
}
