import { rmdir } from "node:fs/promises";
import type { RunAsDatabaseUser } from "./database-user.ts";

/**
 * Takes away a directory that the database's user owns. What is in it is
 * deleted as that user, which may have laid links there: they lead no further
 * than it may go itself.
 *
 * @throws when something in it is not that user's to delete.
 */
export async function removeUnfinished(path: string, run: RunAsDatabaseUser): Promise<void> {
  if (await removeEmpty(path)) return;
  await run(["find", path, "-mindepth", "1", "-delete"]);
  await rmdir(path);
}

/** Whether there is no such directory any more. */
async function removeEmpty(path: string): Promise<boolean> {
  try {
    await rmdir(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOTEMPTY") return false;
    if (code !== "ENOENT") throw error;
  }
  return true;
}
