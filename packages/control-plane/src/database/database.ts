import { uuidSchema } from "@opencomputer/protocol/api";
import type { PgDatabase, PgQueryResultHKT } from "drizzle-orm/pg-core";
import { ZodError } from "zod";
import type * as schema from "./schema.ts";

/** The one type that the rest of the control plane sees. A transaction has it too. */
export type Database = PgDatabase<PgQueryResultHKT, typeof schema>;

/** The connections of this process to the database. */
export interface DatabaseConnections {
  open: number;
  /** Open connections that no statement uses. */
  idle: number;
  /** Statements that wait for a connection. */
  waiting: number;
}

/** An open database. `close` waits for the statements under way. */
export interface OpenDatabase {
  database: Database;
  connections(): DatabaseConnections;
  close(): Promise<void>;
}

/** PostgreSQL, appendix A: `unique_violation`. */
const uniqueViolation = "23505";

/** Classes of PostgreSQL, appendix A: data exception, integrity constraint violation, program limit exceeded. */
const dataErrorClasses = /^(22|23|54)/;

/** Whether a statement failed because a row of that name exists, in either driver. */
export function isUniqueViolation(error: unknown): boolean {
  return hasCode(error, (code) => code === uniqueViolation);
}

/** Whether a statement failed because of what it was to store, or that was of no known shape: it will fail again. */
export function isDataError(error: unknown): boolean {
  return error instanceof ZodError || hasCode(error, (code) => dataErrorClasses.test(code));
}

function hasCode(error: unknown, matches: (code: string) => boolean): boolean {
  for (let current = error; current instanceof Error; current = current.cause) {
    if ("code" in current && typeof current.code === "string" && matches(current.code)) return true;
  }
  return false;
}

/** A UUID that a caller sent, or `undefined`: the database refuses to compare anything else. */
export function asUuid(text: string): string | undefined {
  return uuidSchema.safeParse(text).success ? text.toLowerCase() : undefined;
}
