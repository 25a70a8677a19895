import { readdir, readFile, rm, rmdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { hasCode } from "./file-access.ts";

/** In the runtime directory: the data directory that its sockets and machines belong to. */
const fileName = "data-directory.json";
/** The directory with a directory for each machine, which holds its sockets. */
const machinesName = "machines";

const holderSchema = z.object({
  dataDirectory: z.string(),
  device: z.number(),
  inode: z.number(),
});
type Holder = z.infer<typeof holderSchema>;

/**
 * Records which data directory uses the runtime directory. A data directory
 * that was moved is the same one. A copy beside its original is another one with
 * the same id, and is refused while machines of the original run.
 *
 * @throws {Error} for a copy.
 */
export async function holdRuntimeDirectory(
  runtimeDirectory: string,
  dataDirectory: string,
): Promise<void> {
  const own = await describe(dataDirectory);
  if (own === undefined) throw new Error(`${dataDirectory} is not a directory`);
  const path = join(runtimeDirectory, fileName);
  const former = await readHolder(path);
  if (former !== undefined && !isSame(former, own)) {
    const original = await describe(former.dataDirectory);
    const exists = original !== undefined && isSame(original, former);
    if (exists && (await hasMachines(runtimeDirectory))) {
      throw new Error(
        `${dataDirectory} is a copy of ${former.dataDirectory}, whose machines still run: start the service on the original and delete or hibernate its sandboxes first, or move the original away.`,
      );
    }
  }
  await writeFile(path, `${JSON.stringify(own)}\n`, { mode: 0o600 });
}

/** The data directory of the service that uses the runtime directory; undefined when none is recorded. */
export async function holderOf(runtimeDirectory: string): Promise<string | undefined> {
  return (await readHolder(join(runtimeDirectory, fileName)))?.dataDirectory;
}

/** Whether machines run: each has its sockets there until it ends. */
async function hasMachines(runtimeDirectory: string): Promise<boolean> {
  try {
    const options = { withFileTypes: true, recursive: true } as const;
    const entries = await readdir(join(runtimeDirectory, machinesName), options);
    return entries.some((entry) => !entry.isDirectory());
  } catch (error) {
    if (hasCode(error, "ENOENT")) return false;
    throw error;
  }
}

/**
 * Removes the runtime directory, unless machines that still run have their
 * sockets there, or it contains anything else.
 *
 * Confined users own directories in it, and could put links there meanwhile. So
 * nothing is deleted recursively: rmdir(2) removes an empty directory and
 * follows no link in its last component, and the components before it are
 * entries of the runtime directory, which only root can change.
 */
export async function removeRuntimeDirectory(runtimeDirectory: string): Promise<void> {
  const directories: string[] = [];
  for (const entry of await readdir(runtimeDirectory, { withFileTypes: true })) {
    if (entry.name === fileName) continue;
    if (!entry.isDirectory()) return;
    const path = join(runtimeDirectory, entry.name);
    const children = await readdir(path);
    if (entry.name === machinesName) directories.push(...children.map((name) => join(path, name)));
    else if (children.length > 0) return;
    directories.push(path);
  }
  try {
    for (const directory of directories) await rmdir(directory);
    // A restore runs only the database, and records nothing.
    await rm(join(runtimeDirectory, fileName), { force: true });
    await rmdir(runtimeDirectory);
  } catch (error) {
    // A machine's directory with its sockets, or a file that a process has just left.
    if (!hasCode(error, "ENOTEMPTY") && !hasCode(error, "ENOTDIR")) throw error;
  }
}

async function describe(dataDirectory: string): Promise<Holder | undefined> {
  try {
    const { dev: device, ino: inode } = await stat(dataDirectory);
    return { dataDirectory, device, inode };
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

function isSame(one: Holder, other: Holder): boolean {
  return one.device === other.device && one.inode === other.inode;
}

/** Reads the record; one that is incomplete, as after a crash of the host, counts as absent. */
async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    return holderSchema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch {
    return undefined;
  }
}
