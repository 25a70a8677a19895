import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { SettingsError } from "@opencomputer/protocol/wire";
import { databaseUrlPaths, takeSecrets } from "./serve-settings.ts";

describe("takeSecrets", () => {
  test("takes secrets out of the environment and leaves the rest", () => {
    const environment = { PATH: "/bin", DATABASE_URL: "postgres://u:p@h/d" };
    assert.deepEqual(takeSecrets(environment), { DATABASE_URL: "postgres://u:p@h/d" });
    assert.deepEqual(environment, { PATH: "/bin" });
  });

  test("reads a secret from the file that _FILE names", async (t) => {
    const directory = await mkdtemp(join(tmpdir(), "secret-settings-"));
    t.after(() => rm(directory, { recursive: true }));
    const path = join(directory, "key");
    await writeFile(path, "osb_from_file\n");
    const environment = { OPENCOMPUTER_API_KEY_FILE: path };
    assert.deepEqual(takeSecrets(environment), { OPENCOMPUTER_API_KEY: "osb_from_file" });
    assert.deepEqual(environment, {});

    await writeFile(path, "\n");
    assert.throws(() => takeSecrets({ OPENCOMPUTER_API_KEY_FILE: path }), /is empty/);
  });

  test("refuses a secret that is given twice, and a file that is absent", () => {
    const twice = { DATABASE_URL: "postgres://canary@h/d", DATABASE_URL_FILE: "/absent" };
    assert.throws(
      () => takeSecrets(twice),
      (error) => error instanceof SettingsError && !error.message.includes("canary"),
    );
    assert.throws(
      () => takeSecrets({ DATABASE_URL_FILE: "/absent/url" }),
      /DATABASE_URL_FILE: \/absent\/url cannot be read/,
    );
  });

  test("an empty variable counts as absent", () => {
    assert.deepEqual(takeSecrets({ DATABASE_URL: "", DATABASE_URL_FILE: "" }), {});
  });
});

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
