import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";

const machineRecordSchema = z.object({
  process: z.object({ pid: z.int() }),
  sandbox: z.object({ sandboxId: z.string() }).nullable(),
});

/** The process id of each sandbox's machine, by the worker's own records. */
export async function readMachinePids(dataDirectory: string): Promise<Map<string, number>> {
  const pids = new Map<string, number>();
  for (const entry of await readdir(dataDirectory, { recursive: true })) {
    if (!entry.endsWith("/machine.json")) continue;
    const record = machineRecordSchema.parse(
      JSON.parse(await readFile(join(dataDirectory, entry), "utf8")),
    );
    if (record.sandbox !== null) pids.set(record.sandbox.sandboxId, record.process.pid);
  }
  return pids;
}
