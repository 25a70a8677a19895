import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { listDirectory } from "../database/installed-postgres.ts";

/** Names of what is complete in each directory. */
const kinds = [
  ["images", /^[0-9a-f]{64}$/],
  ["golden", /^[0-9a-f]{32}$/],
  ["worker/checkpoints", /^[a-z0-9][a-z0-9-]*$/],
  ["worker/hibernated", /^[a-z0-9][a-z0-9-]*$/],
] as const;

/** What the backup needs of the worker's `saved.json`. */
const savedManifestSchema = z.object({
  disk: z.object({ layers: z.array(z.string().regex(/^[0-9a-f]{16}$/)) }),
});

/** Paths of everything saved, relative to the data directory: what others are made of comes first. */
export async function listSavedState(dataDirectory: string): Promise<string[]> {
  const paths: string[] = [];
  for (const [directory, pattern] of kinds) {
    for (const name of (await listDirectory(join(dataDirectory, directory))).sort()) {
      if (pattern.test(name)) paths.push(join(directory, name));
    }
  }
  return paths;
}

/** The layers of a saved machine's disk; none of what has no disk of its own. */
export async function layersOf(dataDirectory: string, path: string): Promise<string[]> {
  if (!path.startsWith("worker/")) return [];
  const file = join(dataDirectory, path, "saved.json");
  const { disk } = savedManifestSchema.parse(JSON.parse(await readFile(file, "utf8")));
  return disk.layers.map((layer) => `worker/layers/${layer}.qcow2`);
}

/**
 * What changes when a saved machine is woken, flattened or removed, or a layer
 * is written to. Undefined when it is absent.
 */
export async function stateOf(dataDirectory: string, path: string): Promise<string | undefined> {
  const file = path.endsWith(".qcow2") ? path : join(path, savedFileOf(path));
  try {
    const { ino, mtimeMs, size } = await stat(join(dataDirectory, file));
    return `${ino} ${mtimeMs} ${size}`;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function savedFileOf(path: string): string {
  if (path.startsWith("worker/")) return "saved.json";
  return path.startsWith("golden/") ? "golden.json" : "image.json";
}
