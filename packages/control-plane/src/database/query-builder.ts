/**
 * What queries are made of. Every module takes it from here: Node reads the
 * 180 KB of drizzle's manifest again for each import of it by name, which is a
 * third of the time that the control plane takes to start.
 */
export {
  and,
  asc,
  count,
  DrizzleQueryError,
  desc,
  eq,
  exists,
  getTableColumns,
  getTableName,
  gt,
  gte,
  inArray,
  is,
  isNotNull,
  isNull,
  like,
  lt,
  lte,
  max,
  min,
  ne,
  or,
  type SQL,
  sql,
  sum,
} from "drizzle-orm";
