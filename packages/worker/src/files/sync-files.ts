import { open, readdir } from "node:fs/promises";
import { join } from "node:path";

/** Returns when a file's content, or a directory's entries, would survive a loss of power. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Syncs the files of a directory and its entries. The directory's own name
 * is an entry of its parent, which the caller syncs once the name is final.
 */
export async function syncDirectoryFiles(directory: string): Promise<void> {
  const names = await readdir(directory);
  await Promise.all(names.map((name) => syncPath(join(directory, name))));
  await syncPath(directory);
}
