import { rmdir } from "node:fs/promises";
import { type DatabaseConfinement, runAsDatabaseUser } from "./database-user.ts";

/**
 * Removes a directory that the database's user owns. Its content is deleted as
 * that user, which may have put links there: it reaches no more through them
 * than it may delete itself.
 *
 * @throws when that user may not delete something in it.
 */
export async function removeUnfinished(
  confinement: DatabaseConfinement,
  path: string,
): Promise<void> {
  if (await removeEmpty(path)) return;
  await runAsDatabaseUser(confinement, ["find", path, "-mindepth", "1", "-delete"]);
  await rmdir(path);
}

/** Returns whether the directory no longer exists. */
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
