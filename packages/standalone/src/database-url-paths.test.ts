import assert from "node:assert/strict";
import { test } from "node:test";
import { databaseUrlPaths } from "./database-url-paths.ts";

test("databaseUrlPaths: sockets and certificates, and nothing of a server on the network", () => {
  assert.deepEqual(databaseUrlPaths("postgres://u:p@db.example.com:5432/d?sslmode=require"), {
    directories: [],
    files: [],
  });
  assert.deepEqual(databaseUrlPaths("postgres://u@%2Frun%2Fpostgresql/d"), {
    directories: ["/run/postgresql"],
    files: [],
  });
  const query =
    "host=/run/postgresql&sslrootcert=/etc/ca.pem&sslkey=/root/key.pem&sslcert=relative";
  assert.deepEqual(databaseUrlPaths(`postgres://u@localhost/d?${query}`), {
    directories: ["/run/postgresql"],
    files: ["/etc/ca.pem", "/root/key.pem"],
  });
  assert.deepEqual(databaseUrlPaths(undefined), { directories: [], files: [] });
});
