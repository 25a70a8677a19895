import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { syncPath } from "../sync-path.ts";

const exportDirectory = fileURLToPath(new URL("../../../../setup/pglite-export", import.meta.url));
const loadProgram = fileURLToPath(
  new URL("../../../control-plane/dist/carry-over/main.js", import.meta.url),
);
const environment = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };

/** Where versions before PostgreSQL kept their database, and where its files stay. */
const formerName = "database";
const keptName = "database-before-postgresql";

/**
 * Carries the PGlite database of a former version over to PostgreSQL, once:
 * its rows are read from a copy of its files, and the files are set aside when
 * PostgreSQL has committed rows of the same number and digest in every table.
 * Until then nothing but the work directory is changed, so a start that is
 * ended half way is followed by one that begins anew.
 *
 * @returns where the former files are kept; undefined when there are none.
 * @throws when the rows cannot be read, or do not arrive as they were.
 */
export async function carryOverFormerDatabase({
  dataDirectory,
  databaseUrl,
  onStage,
}: {
  dataDirectory: string;
  databaseUrl: string;
  onStage: (stage: string) => void;
}): Promise<string | undefined> {
  const former = join(dataDirectory, formerName);
  const workDirectory = join(dataDirectory, "database-carry-over");
  await rm(workDirectory, { recursive: true, force: true });
  if (!existsSync(join(former, "PG_VERSION"))) return undefined;
  if (!existsSync(join(exportDirectory, "node_modules"))) {
    throw new Error(
      `${former} is the database of a former version, and the program that reads it is not installed: run \`npm ci --prefix ${exportDirectory}\`, and start again.`,
    );
  }
  onStage("carrying the former database over to PostgreSQL");
  await mkdir(workDirectory, { mode: 0o700 });
  const copy = join(workDirectory, "database");
  const rowsFile = join(workDirectory, "rows.jsonl");
  await run("cp", ["--archive", "--reflink=auto", former, copy]);
  await run(process.execPath, [join(exportDirectory, "main.mjs"), copy, rowsFile]);
  await run(process.execPath, [loadProgram], {
    DATABASE_URL: databaseUrl,
    OPENCOMPUTER_FORMER_ROWS_FILE: rowsFile,
  });
  const kept = freePath(join(dataDirectory, keptName));
  await rename(former, kept);
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
      `The former database was not carried over, and is as it was: ${String(error.stderr).trim() || error.message}`,
      { cause: error },
    );
  }
}

/** The path, or the first of `path-2`, `path-3` … that nothing has. */
function freePath(path: string): string {
  for (let count = 1; ; count += 1) {
    const candidate = count === 1 ? path : `${path}-${count}`;
    if (!existsSync(candidate)) return candidate;
  }
}
