import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { chown, lstat, mkdir, rename } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Confinement, confinedCommand } from "../confinement.ts";
import { syncDirectory } from "./cluster-files.ts";

const exportDirectory = fileURLToPath(new URL("../../../../setup/pglite-export", import.meta.url));
const loadProgram = fileURLToPath(
  new URL("../../../control-plane/dist/carry-over/main.js", import.meta.url),
);
const environment = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };

/** Where versions before PostgreSQL kept their database, and where its files stay. */
const formerName = "database";
const keptName = "database-before-postgresql";

/** Who reads the former files: they may be as whoever took the control plane over left them. */
export type FormerDatabaseReader = Pick<Confinement, "user" | "mountPoint">;

/**
 * Carries the PGlite database of a former version over to PostgreSQL, once:
 * its rows are read from a copy of its files, by a process that sees nothing else of the data
 * directory, and the files are set aside when
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
  reader,
  onStage,
}: {
  dataDirectory: string;
  databaseUrl: string;
  reader: FormerDatabaseReader;
  onStage: (stage: string) => void;
}): Promise<string | undefined> {
  const former = join(dataDirectory, formerName);
  const workDirectory = join(dataDirectory, "database-carry-over");
  await removeTree(workDirectory);
  if (!existsSync(join(former, "PG_VERSION"))) return undefined;
  if (!existsSync(join(exportDirectory, "node_modules"))) {
    throw new Error(
      `${former} is the database of a former version, and the program that reads it is not installed: run \`npm ci --prefix ${exportDirectory}\`, and start again.`,
    );
  }
  onStage("carrying the former database over to PostgreSQL");
  await mkdir(workDirectory, { mode: 0o700 });
  const rowsFile = join(workDirectory, "rows.jsonl");
  await exportRows({ former, readerDirectory: join(workDirectory, "reader"), rowsFile, reader });
  await run(process.execPath, [loadProgram], {
    DATABASE_URL: databaseUrl,
    OPENCOMPUTER_FORMER_ROWS_FILE: rowsFile,
  });
  const kept = freePath(join(dataDirectory, keptName));
  await rename(former, kept);
  await syncDirectory(dataDirectory);
  await removeTree(workDirectory);
  return kept;
}

/** Writes the rows of the former files to a file, by way of a directory of the reader's own. */
async function exportRows({
  former,
  readerDirectory,
  rowsFile,
  reader: { user, mountPoint },
}: {
  former: string;
  readerDirectory: string;
  rowsFile: string;
  reader: FormerDatabaseReader;
}): Promise<void> {
  const copy = join(readerDirectory, "database");
  const written = join(readerDirectory, "rows.jsonl");
  await mkdir(readerDirectory, { mode: 0o700 });
  await run("cp", ["--archive", "--reflink=auto", former, copy]);
  const foreign = await run("find", [
    copy,
    "!",
    "-type",
    "f",
    "!",
    "-type",
    "d",
    "-print",
    "-quit",
  ]);
  if (foreign !== "") {
    throw new Error(
      `The former database was not carried over, and is as it was: ${join(former, relative(copy, foreign.trim()))} is neither a file nor a directory, and a database has nothing else. Find out who laid it there, remove it, and start again.`,
    );
  }
  const owner = `${user.userId}:${user.groupId}`;
  await run("chown", ["--recursive", "--no-dereference", "-P", owner, "--", copy]);
  await chown(readerDirectory, user.userId, user.groupId);
  const [program = "", ...parameters] = confinedCommand(
    [process.execPath, join(exportDirectory, "main.mjs"), copy, written],
    {
      ...{ user, mountPoint, capabilities: [], copiedFiles: [] },
      readOnlyPaths: [exportDirectory, process.execPath],
      writablePaths: [readerDirectory],
    },
  );
  await run(program, parameters);
  await rename(written, rowsFile);
  if (!(await lstat(rowsFile)).isFile()) {
    throw new Error(`The former database was not carried over: ${rowsFile} is no regular file.`);
  }
}

/**
 * rm(1) goes by open directories, so that a link which takes the place of one
 * leads it nowhere; the function of Node goes by paths.
 */
async function removeTree(path: string): Promise<void> {
  await run("rm", ["--recursive", "--force", "--one-file-system", "--", path]);
}

async function run(
  program: string,
  parameters: string[],
  variables: Record<string, string> = {},
): Promise<string> {
  try {
    const env = { ...environment, ...variables };
    return (await promisify(execFile)(program, parameters, { env })).stdout;
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
