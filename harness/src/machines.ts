import { join } from "node:path";
import { z } from "zod";
import { listEntries } from "./list-entries.ts";
import { readIfPresent } from "./read-if-present.ts";

const machineRecordSchema = z.object({
  process: z.object({ pid: z.int() }),
  sandbox: z.object({ sandboxId: z.string() }).nullable(),
  disk: z.object({ layers: z.array(z.string()).min(1) }),
});

export interface Machine {
  pid: number;
  /** Its disk, as an image with backing files. */
  diskPath: string;
}

/** The machine of each sandbox, by the worker's own records. */
export async function readMachines(dataDirectory: string): Promise<Map<string, Machine>> {
  const machines = new Map<string, Machine>();
  for await (const { path } of listEntries(dataDirectory)) {
    if (!path.endsWith("/machine.json")) continue;
    const text = await readIfPresent(path);
    if (text === undefined) continue;
    const record = machineRecordSchema.parse(JSON.parse(text));
    if (record.sandbox === null) continue;
    machines.set(record.sandbox.sandboxId, {
      pid: record.process.pid,
      diskPath: join(dataDirectory, "worker/layers", `${record.disk.layers[0]}.qcow2`),
    });
  }
  return machines;
}
