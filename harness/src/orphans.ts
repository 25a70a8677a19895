import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { listMachines } from "./host-resources.ts";
import { readIfPresent } from "./read-if-present.ts";

const diskSchema = z.object({ layers: z.array(z.string()) });
const machineSchema = z.object({
  process: z.object({ pid: z.int() }),
  slotIndex: z.int(),
  sandbox: z.object({ sandboxId: z.string() }).nullable(),
  disk: diskSchema,
});
const savedSchema = z.object({ disk: diskSchema });

/** What the worker's records name, and what its machines without a record use. */
interface Held {
  pids: Set<number>;
  slots: Set<string>;
  layers: Set<string>;
}

/**
 * Lists what an idle installation holds without a record, and records of what
 * does not exist: machines, network namespaces, disk layers, incomplete
 * directories. Warm machines have no record: they belong to the worker, and
 * are younger than it. A change in progress is listed too: call again.
 */
export async function listOrphans({
  id,
  dataDirectory,
  workerPids,
}: {
  id: string;
  dataDirectory: string;
  /** The worker that runs. */
  workerPids: readonly number[];
}): Promise<string[]> {
  const held: Held = { pids: new Set(), slots: new Set(), layers: new Set() };
  const readyMachineIds = new Set<string>();
  for (const pid of await listMachines({ id, dataDirectory })) {
    const ready = await readReadyMachine(pid, workerPids);
    if (ready === undefined) continue;
    readyMachineIds.add(ready.machineId);
    held.pids.add(pid);
    held.slots.add(ready.slot);
    held.layers.add(ready.layer);
  }
  const orphans: string[] = [];
  const workerDirectory = join(dataDirectory, "worker");
  const readRecords = async <Schema extends z.ZodType>(
    kind: string,
    fileName: string,
    schema: Schema,
  ): Promise<z.infer<Schema>[]> => {
    const records: z.infer<Schema>[] = [];
    for (const entry of await readdir(join(workerDirectory, kind))) {
      const text = await readIfPresent(join(workerDirectory, kind, entry, fileName));
      if (text === undefined) {
        if (!readyMachineIds.has(entry)) orphans.push(`${kind}/${entry} has no ${fileName}`);
      } else records.push(schema.parse(JSON.parse(text)));
    }
    return records;
  };

  for (const machine of await readRecords("machines", "machine.json", machineSchema)) {
    const { pid } = machine.process;
    held.pids.add(pid);
    held.slots.add(`oc${id}-${machine.slotIndex}`);
    for (const layer of machine.disk.layers) held.layers.add(layer);
    if (!existsSync(`/proc/${pid}`)) orphans.push(`machine ${pid} is recorded and does not run`);
  }
  for (const kind of ["hibernated", "checkpoints"]) {
    for (const { disk } of await readRecords(kind, "saved.json", savedSchema)) {
      for (const layer of disk.layers) held.layers.add(layer);
    }
  }

  for (const pid of await listMachines({ id, dataDirectory })) {
    if (!held.pids.has(pid)) orphans.push(`machine ${pid} has no record`);
  }
  const present = new Set(await readdir(join(workerDirectory, "layers")));
  for (const file of present) {
    if (!held.layers.has(file.replace(/\.qcow2$/, ""))) orphans.push(`layer ${file} is unused`);
  }
  for (const layer of held.layers) {
    if (!present.has(`${layer}.qcow2`)) orphans.push(`layer ${layer} is missing`);
  }
  const { stdout } = await promisify(execFile)("ip", ["netns", "list"]);
  for (const line of stdout.split("\n")) {
    const name = line.split(" ")[0] ?? "";
    if (name.startsWith(`oc${id}-`) && !held.slots.has(name)) {
      orphans.push(`namespace ${name} has no machine`);
    }
  }
  return orphans;
}

/** A machine that is younger than the worker, by its command line; undefined for any other. */
async function readReadyMachine(
  pid: number,
  workerPids: readonly number[],
): Promise<{ machineId: string; slot: string; layer: string } | undefined> {
  const commandLine = await readIfPresent(`/proc/${pid}/cmdline`);
  const startedAt = await startOf(pid);
  const workerStarts = await Promise.all(workerPids.map(startOf));
  const isYounger = workerStarts.some((workerStart) => startedAt >= workerStart);
  const machineId = /\0opencomputer-[0-9a-f]{8}-([0-9a-f]{16})\0/.exec(commandLine ?? "")?.[1];
  const layer = /"filename":"([0-9a-f]{16})\.qcow2"/.exec(commandLine ?? "")?.[1];
  if (!isYounger || machineId === undefined || layer === undefined) return undefined;
  const { stdout } = await promisify(execFile)("ip", ["netns", "identify", String(pid)]);
  return { machineId, slot: stdout.trim(), layer };
}

/** In clock ticks since boot: field 22 of proc(5), `/proc/pid/stat`. Not a number when it has ended. */
async function startOf(pid: number): Promise<number> {
  const stat = (await readIfPresent(`/proc/${pid}/stat`)) ?? "";
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]);
}
