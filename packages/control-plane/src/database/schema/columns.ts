import { bigint, customType, timestamp } from "drizzle-orm/pg-core";

/**
 * What tables are made of. Every table takes it from here, as queries take theirs from
 * `query-builder.ts`: each import of the library by name reads its manifest again.
 */
export {
  bigint,
  boolean,
  check,
  doublePrecision,
  index,
  integer,
  jsonb,
  pgSequence,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";

/** A moment, to the millisecond. */
export const time = (name: string) =>
  timestamp(name, { withTimezone: true, mode: "date", precision: 3 });
export const createdAt = () => time("created_at").notNull().defaultNow();
export const updatedAt = () => time("updated_at").notNull().defaultNow();

/** A count that is never null. */
export const countOf = (name: string) => bigint(name, { mode: "number" }).notNull();

/** The number of a transaction with its epoch: it grows for the life of the server and never wraps. */
export const xid8 = customType<{ data: string }>({ dataType: () => "xid8" });
