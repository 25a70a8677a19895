import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

const prefix = ".partial-";

/**
 * Creates this process's directory for an incomplete build, and deletes those
 * that killed builds left behind.
 */
export async function openPartialDirectory(outputDirectory: string): Promise<string> {
  await mkdir(outputDirectory, { recursive: true });
  for (const name of await readdir(outputDirectory)) {
    if (name.startsWith(prefix) && !isRunning(Number(name.slice(prefix.length)))) {
      await rm(join(outputDirectory, name), { recursive: true, force: true });
    }
  }
  const directory = join(outputDirectory, `${prefix}${process.pid}`);
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory);
  return directory;
}

function isRunning(processId: number): boolean {
  if (!Number.isSafeInteger(processId) || processId <= 0 || processId === process.pid) return false;
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    // EPERM: it runs as another user; anything else: there is no such process.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
