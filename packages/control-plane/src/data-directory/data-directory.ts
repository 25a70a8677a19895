import { randomUUID } from "node:crypto";
import { stat } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { z } from "zod";
import { readTextIfPresent, writePrivateFile } from "./private-file.ts";

/**
 * Locks a directory for this process alone, until the returned function is
 * called or the process ends, however it ends. The lock is an abstract Unix
 * socket (unix(7)) named by device and inode: the kernel frees it with the
 * process, so a crash leaves no stale lock.
 *
 * @throws when another process holds it.
 */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  const { dev, ino } = await stat(directory);
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => {
      reject(
        new Error(
          `${directory} is in use by another process; stop that process or choose another OPENCOMPUTER_DATA_DIR`,
          { cause: error },
        ),
      );
    });
    server.listen(`\0opencomputer-directory-${dev}-${ino}`, resolve);
  });
  server.unref();
  return () =>
    new Promise((resolve, reject) => {
      server.close((error) => (error === undefined ? resolve() : reject(error)));
    });
}

/**
 * Returns the random name that a data directory keeps, which is made where it has
 * none. It distinguishes what processes of this directory have begun from what
 * those of other directories do on the same database.
 */
export async function openDataDirectoryName(dataDirectory: string): Promise<string> {
  const path = join(dataDirectory, "control-plane-id");
  const text = await readTextIfPresent(path);
  if (text !== undefined) {
    const kept = z.uuid().safeParse(text);
    if (kept.success) return kept.data;
    throw new Error(
      `${path} must contain a UUID: remove the file, and the service creates a new one`,
      {
        cause: kept.error,
      },
    );
  }
  const name = randomUUID();
  await writePrivateFile(path, `${name}\n`);
  return name;
}
