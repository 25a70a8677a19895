import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { z } from "zod";
import type { RunningInstallation } from "./installation.ts";

/** Executes statements in an installation's own database. Returns what they print, without headings. */
export async function executeStatements(
  { id }: RunningInstallation,
  statements: string,
): Promise<string> {
  const socketDirectory = `/run/opencomputer-${id}/database`;
  const { stdout } = await promisify(execFile)("psql", [
    ...["--no-psqlrc", "--set=ON_ERROR_STOP=1", "--tuples-only", "--no-align"],
    ...["--host", socketDirectory, "--username", "opencomputer", "--dbname", "opencomputer"],
    ...["--command", statements],
  ]);
  return stdout;
}

/** The one JSON value that a query of an installation's own database selects. */
export async function queryDatabase<Schema extends z.ZodType>(
  installation: RunningInstallation,
  query: string,
  schema: Schema,
): Promise<z.infer<Schema>> {
  return schema.parse(JSON.parse(await executeStatements(installation, query)));
}

const countsSchema = z.record(z.string(), z.int());
/** `query_to_xml` runs a statement for each table within one query. */
const countEachTable = `
  select json_object_agg(tablename, (xpath('/row/count/text()',
    query_to_xml(format('select count(*) from %I', tablename), false, true, '')))[1]::text::int)
  from pg_tables where schemaname = 'public'`;

/** The rows of each table of an installation's own database. */
export function countRows(installation: RunningInstallation): Promise<Record<string, number>> {
  return queryDatabase(installation, countEachTable, countsSchema);
}
