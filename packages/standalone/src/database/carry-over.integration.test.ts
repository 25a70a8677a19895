import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { createPrivateCluster, type PrivateCluster } from "../testing/private-cluster.ts";
import { carryOverEarlierDatabase } from "./carry-over.ts";
import { databaseUrlOf } from "./private-database.ts";

const run = promisify(execFile);
const fixture = fileURLToPath(
  new URL("../../../../setup/pglite-export/fixture/data-directory.tar.zst", import.meta.url),
);
/** Kills that are tried, at moments that spread over the whole of one run. */
const killCount = 6;

describe("a data directory of an earlier version", () => {
  let cluster: PrivateCluster;
  let dataDirectory: string;
  before(async () => {
    cluster = await createPrivateCluster();
    await cluster.start(await cluster.prepare());
    dataDirectory = join(cluster.root, "data");
    await mkdir(dataDirectory);
    await run("tar", ["--extract", "--zstd", "--file", fixture, "--directory", dataDirectory]);
  });
  after(() => cluster.remove());

  const carryOver = (databaseUrl = databaseUrlOf(cluster.socketDirectory)) =>
    carryOverEarlierDatabase({ dataDirectory, databaseUrl, onStage: () => undefined });
  const earlierFiles = async () =>
    (
      await run("find", [
        join(dataDirectory, "database"),
        "-type",
        "f",
        "-exec",
        "sha256sum",
        "{}",
        "+",
      ])
    ).stdout;
  const tableCount = () =>
    cluster.query("select count(*) from pg_tables where schemaname in ('public', 'drizzle')");

  test("stays unchanged when PostgreSQL cannot be reached", async () => {
    const before = await earlierFiles();
    await assert.rejects(
      carryOver(databaseUrlOf("/nonexistent")),
      /could not be copied to PostgreSQL, and is unchanged/,
    );
    assert.equal(await earlierFiles(), before);
  });

  test("stays unchanged wherever the start is interrupted", async () => {
    const before = await earlierFiles();
    const began = Date.now();
    for (let count = 0; count < killCount; count += 1) {
      const script = `
        const { carryOverEarlierDatabase } = await import(${JSON.stringify(pathToFileURL(fileURLToPath(new URL("carry-over.ts", import.meta.url))).href)});
        process.stdout.write("begins\\n");
        await carryOverEarlierDatabase({
          dataDirectory: ${JSON.stringify(dataDirectory)},
          databaseUrl: ${JSON.stringify(databaseUrlOf(cluster.socketDirectory))},
          onStage: () => undefined,
        });`;
      const child = spawn(
        process.execPath,
        [...["--conditions=source", "--input-type=module"], "--eval", script],
        { detached: true, stdio: ["ignore", "pipe", "inherit"] },
      );
      assert.ok(child.pid !== undefined);
      const closed = once(child, "close");
      await once(child.stdout, "data");
      // Each wait is longer than the one before, so that the last ones end during the load of the rows.
      await new Promise((resolve) => setTimeout(resolve, count * 400));
      if (child.exitCode === null) process.kill(-child.pid, "SIGKILL");
      await closed;
      if (!existsSync(join(dataDirectory, "database"))) break;
      assert.equal(await earlierFiles(), before, `after ${Date.now() - began} ms`);
    }
  });

  test("is carried over with every row, and its files are kept", async () => {
    const kept = join(dataDirectory, "database-before-postgresql");
    if (existsSync(join(dataDirectory, "database"))) assert.equal(await carryOver(), kept);
    assert.equal(await tableCount(), "18");
    assert.equal(await cluster.query("select count(*) from sandboxes"), "2");
    assert.equal(await cluster.query("select name from projects"), "kept project");
    const smile = "select distinct metadata->>'smile' from sandboxes";
    assert.equal(await cluster.query(smile), "😀");
    assert.ok(existsSync(join(kept, "PG_VERSION")));
    assert.deepEqual((await readdir(dataDirectory)).sort(), [
      ...["api-key", "database-before-postgresql", "encryption-key"],
    ]);
    assert.equal(await carryOver(), undefined, "the next start has nothing to do");
  });

  test("is recognised as carried over when the start was interrupted before it renamed the files", async () => {
    const kept = join(dataDirectory, "database-before-postgresql");
    await run("cp", ["--archive", kept, join(dataDirectory, "database")]);
    assert.equal(await carryOver(), `${kept}-2`);
    assert.equal(await tableCount(), "18");
    await rm(`${kept}-2`, { recursive: true });
  });

  test("is refused, and nothing is changed, when PostgreSQL has other rows already", async () => {
    await cluster.query("update projects set name = 'newer'; delete from preview_links");
    const kept = join(dataDirectory, "database-before-postgresql");
    await run("cp", ["--archive", kept, join(dataDirectory, "database")]);
    await assert.rejects(
      carryOver(),
      /has other tables(?=.*preview_links has 0 rows, not 1)(?=.*projects has rows that differ)/,
    );
    assert.ok(existsSync(join(dataDirectory, "database", "PG_VERSION")));
    assert.equal(await cluster.query("select name from projects"), "newer");
  });
});
