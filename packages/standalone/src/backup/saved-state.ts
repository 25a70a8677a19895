import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { hasCode, listDirectory, readFileOf } from "../installation/file-access.ts";
import type { SystemUser } from "../installation/system-users.ts";

/** Names of what is complete in each directory. */
const kinds = [
  ["images", /^[0-9a-f]{64}$/],
  ["golden", /^[0-9a-f]{32}$/],
  ["worker/checkpoints", /^[a-z0-9][a-z0-9-]*$/],
  ["worker/hibernated", /^[a-z0-9][a-z0-9-]*$/],
] as const;

const savedFileBytesMax = 1024 * 1024;

/** What the backup needs of the worker's `saved.json`. */
const savedManifestSchema = z.object({
  disk: z.object({ layers: z.array(z.string().regex(/^[0-9a-f]{16}$/)) }),
});

/** Lists the paths of everything saved, relative to the data directory; what others depend on comes first. */
export async function listSavedState(dataDirectory: string): Promise<string[]> {
  const paths: string[] = [];
  for (const [directory, pattern] of kinds) {
    for (const name of (await listDirectory(join(dataDirectory, directory))).sort()) {
      if (pattern.test(name)) paths.push(join(directory, name));
    }
  }
  return paths;
}

/** The layers of a saved machine's disk; empty for what has no disk layers. */
export async function layersOf(
  worker: Pick<SystemUser, "userId">,
  dataDirectory: string,
  path: string,
): Promise<string[]> {
  if (!path.startsWith("worker/")) return [];
  const file = join(dataDirectory, path, "saved.json");
  const text = await readFileOf(worker, file, { bytesMax: savedFileBytesMax });
  if (text === undefined) throw new Error(`${file} does not exist`);
  const { disk } = savedManifestSchema.parse(JSON.parse(text));
  return disk.layers.map((layer) => `worker/layers/${layer}.qcow2`);
}

/**
 * A text that changes when a saved machine is woken, flattened or removed, or
 * a layer is written to. Undefined when it does not exist.
 */
export async function stateOf(dataDirectory: string, path: string): Promise<string | undefined> {
  const file = path.endsWith(".qcow2") ? path : join(path, savedFileOf(path));
  try {
    const { ino, mtimeMs, size } = await lstat(join(dataDirectory, file));
    return `${ino} ${mtimeMs} ${size}`;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

function savedFileOf(path: string): string {
  if (path.startsWith("worker/")) return "saved.json";
  return path.startsWith("golden/") ? "golden.json" : "image.json";
}
