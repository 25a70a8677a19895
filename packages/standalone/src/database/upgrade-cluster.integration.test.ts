import assert from "node:assert/strict";
import { once } from "node:events";
import { chown, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createPrivateCluster, type PrivateCluster } from "../testing/private-cluster.ts";
import { findInstalledPostgres, type InstalledPostgres } from "./installed-postgres.ts";
import type { PreparedCluster } from "./prepare-cluster.ts";

/** PostgreSQL 16, which the set-up of the tests installs beside the distribution's. */
const newerDirectory = fileURLToPath(new URL("../../../../.cache/postgres-16", import.meta.url));
const newer = { major: 16, binaryDirectory: join(newerDirectory, "pgserver/pginstall/bin") };

describe("an upgrade to a newer major", () => {
  let older: InstalledPostgres;
  let cluster: PrivateCluster;
  before(async () => {
    const distribution = (await findInstalledPostgres()).find(({ major }) => major < newer.major);
    assert.ok(distribution !== undefined, "an older major than 16 is installed");
    older = distribution;
  });
  beforeEach(async () => {
    cluster = await createPrivateCluster({ programPaths: [newerDirectory] });
    const prepared = await cluster.prepare([older]);
    await whileRunning(prepared, async () => {
      await cluster.query(
        "create table kept as select id, sha256(id::text::bytea) as value from generate_series(1, 1000) id",
      );
    });
  });
  afterEach(() => cluster.remove());
  after(async () => assert.ok((await readdir(newerDirectory)).length > 0));

  const content = () =>
    cluster.query("select count(*), md5(string_agg(value::text, '')) from kept");
  const whileRunning = async <Result>(prepared: PreparedCluster, work: () => Promise<Result>) => {
    const child = await cluster.start(prepared);
    const result = await work();
    const closed = once(child, "close");
    child.kill("SIGINT");
    await closed;
    return result;
  };
  const clusters = async () =>
    (await readdir(cluster.directory)).filter((name) => !name.endsWith(".conf")).sort();

  test("keeps every row, and the old cluster aside", async () => {
    const former = join(cluster.directory, String(older.major));
    const before = await whileRunning({ postgres: older, directory: former }, content);
    const upgraded = await cluster.prepare([older, newer]);
    assert.deepEqual(cluster.notes, []);
    assert.deepEqual(upgraded, { postgres: newer, directory: join(cluster.directory, "16") });
    assert.deepEqual(await clusters(), ["15-before-16", "16"]);
    await whileRunning(upgraded, async () => {
      assert.equal((await cluster.query("show server_version_num")) >= "160000", true);
      assert.equal(await content(), before);
      assert.equal(await cluster.query("show data_checksums"), "on");
    });
    assert.equal(
      (await cluster.prepare([older, newer])).postgres.major,
      16,
      "the next start runs it",
    );
    await rename(`${former}-before-16`, former);
    await rm(join(cluster.directory, "16"), { recursive: true });
    await whileRunning({ postgres: older, directory: former }, async () => {
      assert.equal(await content(), before, "the old cluster still runs");
    });
  });

  test("that fails leaves the cluster running on its major, and is reported", async () => {
    const broken = join(cluster.root, "broken");
    await mkdir(broken);
    for (const program of ["postgres", "initdb", "pg_upgrade"]) {
      await writeFile(join(broken, program), "#!/bin/sh\necho no space left\nexit 1\n", {
        mode: 0o755,
      });
    }
    const prepared = await cluster.prepare([older, { major: 16, binaryDirectory: broken }]);
    assert.equal(prepared.postgres.major, older.major);
    assert.match(
      cluster.notes.join(),
      /could not be upgraded from PostgreSQL 15 to 16.*runs on 15/,
    );
    assert.deepEqual(await clusters(), ["15"]);
    assert.equal(
      (await readFile(join(prepared.directory, "PG_VERSION"), "utf8")).trim(),
      String(older.major),
    );
    await whileRunning(prepared, async () => {
      assert.match(await content(), /^1000\|/);
    });
  });

  test("that was interrupted starts again (full run)", async () => {
    const { userId, groupId } = cluster.users.database;
    for (const path of ["16.new", "16.new/base", "upgrade"]) {
      await mkdir(join(cluster.directory, path));
      await chown(join(cluster.directory, path), userId, groupId);
    }
    const upgraded = await cluster.prepare([older, newer]);
    assert.deepEqual(cluster.notes, []);
    assert.deepEqual(await clusters(), ["15-before-16", "16"]);
    await whileRunning(upgraded, async () => {
      assert.match(await content(), /^1000\|/);
    });
  });
});
