import { readdir } from "node:fs/promises";
import { join } from "node:path";

const distributionRoot = "/usr/lib/postgresql";

/** One major version of PostgreSQL that this host has the programs of. */
export interface InstalledPostgres {
  readonly major: number;
  readonly binaryDirectory: string;
}

/** The majors whose server is installed as Debian's packages do it, oldest first. */
export async function findInstalledPostgres(root = distributionRoot): Promise<InstalledPostgres[]> {
  const found: InstalledPostgres[] = [];
  for (const name of await listDirectory(root)) {
    const binaryDirectory = join(root, name, "bin");
    const programs = await listDirectory(binaryDirectory);
    if (isMajor(name) && programs.includes("postgres")) {
      found.push({ major: Number(name), binaryDirectory });
    }
  }
  return found.sort((one, other) => one.major - other.major);
}

/** Whether the name of a directory is a major version, such as `15`. */
export function isMajor(name: string): boolean {
  return /^[1-9]\d$/.test(name);
}

/** Empty when there is no such directory. */
export async function listDirectory(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}
