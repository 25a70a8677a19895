import { join } from "node:path";
import { listDirectory } from "../installation/file-access.ts";

const distributionRoot = "/usr/lib/postgresql";

/** One major version of PostgreSQL whose programs are installed. */
export interface InstalledPostgres {
  readonly major: number;
  readonly binaryDirectory: string;
}

/** Lists the majors whose server is installed where Debian's packages put it, oldest first. */
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
