import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

/** One file, directory or socket below a directory. */
export interface Entry {
  path: string;
  isFile: boolean;
}

/**
 * All that is below a directory, which a running service may change meanwhile:
 * what it removes before it is reached is left out.
 *
 * @throws when the directory itself does not exist.
 */
export async function* listEntries(directory: string): AsyncGenerator<Entry> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    yield { path, isFile: entry.isFile() };
    if (entry.isDirectory()) yield* listUnlessRemoved(path);
  }
}

async function* listUnlessRemoved(directory: string): AsyncGenerator<Entry> {
  try {
    yield* listEntries(directory);
  } catch (error) {
    if (existsSync(directory)) throw error;
  }
}
