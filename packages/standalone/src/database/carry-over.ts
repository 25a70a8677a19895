import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { syncPath } from "../installation/file-access.ts";

const exportDirectory = fileURLToPath(new URL("../../../../setup/pglite-export", import.meta.url));
const loadProgram = fileURLToPath(
  new URL("../../../control-plane/dist/carry-over/main.js", import.meta.url),
);
const environment = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };

/** Where versions without PostgreSQL kept their database, and what its files are renamed to. */
const earlierName = "database";
const keptName = "database-before-postgresql";

/**
 * Copies the PGlite database of an earlier version to PostgreSQL, once. Its
 * rows are read from a copy of its files, and the files are renamed when
 * PostgreSQL has committed as many rows with the same digest in every table.
 * Until then nothing but the work directory is changed, so a start that is
 * interrupted is followed by one that begins again.
 *
 * @returns where the files are kept; undefined when there were none.
 * @throws when the rows cannot be read, or are not the same in PostgreSQL.
 */
export async function carryOverEarlierDatabase({
  dataDirectory,
  databaseUrl,
  onStage,
}: {
  dataDirectory: string;
  databaseUrl: string;
  onStage: (stage: string) => void;
}): Promise<string | undefined> {
  const earlier = join(dataDirectory, earlierName);
  const workDirectory = join(dataDirectory, "database-carry-over");
  await rm(workDirectory, { recursive: true, force: true });
  if (!existsSync(join(earlier, "PG_VERSION"))) return undefined;
  if (!existsSync(join(exportDirectory, "node_modules"))) {
    throw new Error(
      `${earlier} is the database of an earlier version, and the program that reads it is not installed: run \`npm ci --prefix ${exportDirectory}\`, and start again.`,
    );
  }
  onStage("copying the database of an earlier version to PostgreSQL");
  await mkdir(workDirectory, { mode: 0o700 });
  const copy = join(workDirectory, "database");
  const rowsFile = join(workDirectory, "rows.jsonl");
  await run("cp", ["--archive", "--reflink=auto", earlier, copy]);
  await run(process.execPath, [join(exportDirectory, "main.mjs"), copy, rowsFile]);
  await run(process.execPath, [loadProgram], {
    DATABASE_URL: databaseUrl,
    OPENCOMPUTER_EXPORTED_ROWS_FILE: rowsFile,
  });
  const kept = freePath(join(dataDirectory, keptName));
  await rename(earlier, kept);
  await syncPath(dataDirectory);
  await rm(workDirectory, { recursive: true, force: true });
  return kept;
}

async function run(
  program: string,
  parameters: string[],
  variables: Record<string, string> = {},
): Promise<void> {
  try {
    await promisify(execFile)(program, parameters, { env: { ...environment, ...variables } });
  } catch (error) {
    if (!(error instanceof Error && "stderr" in error)) throw error;
    throw new Error(
      `The database of an earlier version could not be copied to PostgreSQL, and is unchanged: ${String(error.stderr).trim() || error.message}`,
      { cause: error },
    );
  }
}

/** The path, or the first of `path-2`, `path-3` … that does not exist. */
function freePath(path: string): string {
  for (let count = 1; ; count += 1) {
    const candidate = count === 1 ? path : `${path}-${count}`;
    if (!existsSync(candidate)) return candidate;
  }
}
