import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { z } from "zod";
import type { RunningInstallation } from "./installation.ts";

const countsSchema = z.record(z.string(), z.int());
/** `query_to_xml` runs a statement for each table within one query. */
const countEachTable = `
  select json_object_agg(tablename, (xpath('/row/count/text()',
    query_to_xml(format('select count(*) from %I', tablename), false, true, '')))[1]::text::int)
  from pg_tables where schemaname = 'public'`;

/** The rows of each table of an installation's own database. */
export async function countRows({ id }: RunningInstallation): Promise<Record<string, number>> {
  const socketDirectory = `/run/opencomputer-${id}/database`;
  const { stdout } = await promisify(execFile)("psql", [
    ...["--no-psqlrc", "--tuples-only", "--no-align", "--host", socketDirectory],
    ...["--username", "opencomputer", "--dbname", "opencomputer", "--command", countEachTable],
  ]);
  return countsSchema.parse(JSON.parse(stdout));
}
