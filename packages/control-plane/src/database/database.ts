import type { PgDatabase, PgQueryResultHKT } from "drizzle-orm/pg-core";
import type * as schema from "./schema.ts";

/** The one type that the rest of the control plane sees. A transaction has it too. */
export type Database = PgDatabase<PgQueryResultHKT, typeof schema>;

/** An open database. `close` waits for the statements under way. */
export interface OpenDatabase {
  database: Database;
  close(): Promise<void>;
}
