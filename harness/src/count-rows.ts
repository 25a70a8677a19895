import { z } from "zod";
import type { RunningInstallation } from "./installation.ts";
import { queryDatabase } from "./query-database.ts";

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
