import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { listMachines } from "./leftovers.ts";

const diskSchema = z.object({ layers: z.array(z.string()) });
const machineSchema = z.object({
  process: z.object({ pid: z.int() }),
  slotIndex: z.int(),
  sandbox: z.object({ sandboxId: z.string() }).nullable(),
  disk: diskSchema,
});
const savedSchema = z.object({ disk: diskSchema });

/** What the worker's records name: all that it should hold of the host. */
interface Recorded {
  pids: Set<number>;
  slots: Set<string>;
  layers: Set<string>;
}

/**
 * What an idle installation holds and no record of its worker names, and
 * records of what is not there: machines, network namespaces, disk layers,
 * half-made directories. A change under way shows too: ask again.
 */
export async function listStrays({
  id,
  dataDirectory,
}: {
  id: string;
  dataDirectory: string;
}): Promise<string[]> {
  const recorded: Recorded = { pids: new Set(), slots: new Set(), layers: new Set() };
  const strays: string[] = [];
  const workerDirectory = join(dataDirectory, "worker");
  const readRecords = async <Schema extends z.ZodType>(
    kind: string,
    fileName: string,
    schema: Schema,
  ): Promise<z.infer<Schema>[]> => {
    const records: z.infer<Schema>[] = [];
    for (const entry of await readdir(join(workerDirectory, kind))) {
      const text = await readFile(join(workerDirectory, kind, entry, fileName), "utf8").catch(
        absent,
      );
      if (text === undefined) strays.push(`${kind}/${entry} has no ${fileName}`);
      else records.push(schema.parse(JSON.parse(text)));
    }
    return records;
  };

  for (const machine of await readRecords("machines", "machine.json", machineSchema)) {
    const { pid } = machine.process;
    recorded.pids.add(pid);
    recorded.slots.add(`oc${id}-${machine.slotIndex}`);
    for (const layer of machine.disk.layers) recorded.layers.add(layer);
    if (!existsSync(`/proc/${pid}`)) strays.push(`machine ${pid} is recorded and does not run`);
  }
  for (const kind of ["hibernated", "checkpoints"]) {
    for (const { disk } of await readRecords(kind, "saved.json", savedSchema)) {
      for (const layer of disk.layers) recorded.layers.add(layer);
    }
  }

  for (const pid of await listMachines({ id, dataDirectory })) {
    if (!recorded.pids.has(pid)) strays.push(`machine ${pid} has no record`);
  }
  const present = new Set(await readdir(join(workerDirectory, "layers")));
  for (const file of present) {
    if (!recorded.layers.has(file.replace(/\.qcow2$/, ""))) strays.push(`layer ${file} is unused`);
  }
  for (const layer of recorded.layers) {
    if (!present.has(`${layer}.qcow2`)) strays.push(`layer ${layer} is missing`);
  }
  const { stdout } = await promisify(execFile)("ip", ["netns", "list"]);
  for (const line of stdout.split("\n")) {
    const name = line.split(" ")[0] ?? "";
    if (name.startsWith(`oc${id}-`) && !recorded.slots.has(name)) {
      strays.push(`namespace ${name} has no machine`);
    }
  }
  return strays;
}

function absent(error: unknown): undefined {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
  throw error;
}
