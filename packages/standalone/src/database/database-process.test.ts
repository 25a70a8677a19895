import assert from "node:assert/strict";
import { test } from "node:test";
import { noteworthyOfDatabase } from "./database-process.ts";

const prefix = "2026-11-29 15:00:00.000 UTC [7] ";

test("noteworthyOfDatabase leaves out what every start and stop prints", () => {
  for (const line of [
    "LOG:  database system is ready to accept connections",
    "FATAL:  the database system is starting up",
    "FATAL:  the database system is not yet accepting connections",
    "FATAL:  terminating connection due to administrator command",
    "ERROR:  duplicate key value violates unique constraint",
  ]) {
    assert.equal(noteworthyOfDatabase(prefix + line), null, line);
  }
});

test("noteworthyOfDatabase gives what keeps the server from running", () => {
  assert.equal(
    noteworthyOfDatabase(`${prefix}PANIC:  could not locate a valid checkpoint record`),
    "could not locate a valid checkpoint record",
  );
  const full = 'could not write to file "pg_wal/xlogtemp.7": No space left on device';
  assert.equal(noteworthyOfDatabase(`${prefix}FATAL:  ${full}`), full);
});
