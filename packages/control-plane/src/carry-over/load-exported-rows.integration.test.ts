import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Client } from "pg";
import { openServerDatabase } from "../database/open-server-database.ts";
import { storeSecrets } from "../database/schema.ts";
import { type PostgresCluster, startPostgresCluster } from "../testing/postgres-cluster.ts";
import { createRecordingLogger } from "../testing/recording-logger.ts";
import { createSeededRandom } from "../testing/seeded-random.ts";
import { createKeyRing } from "../vault/key-ring.ts";
import { createVault } from "../vault/vault.ts";
import { readExportedRows } from "./exported-rows.ts";
import { loadExportedRows } from "./load-exported-rows.ts";

const run = promisify(execFile);
const reader = fileURLToPath(new URL("../../../../setup/pglite-export", import.meta.url));

describe("rows of the database of an earlier version", () => {
  let cluster: PostgresCluster;
  let directory: string;
  let rowsFile: string;
  let lines: string[];
  before(async () => {
    cluster = await startPostgresCluster();
    directory = await mkdtemp(join(tmpdir(), "opencomputer-former-rows-"));
    rowsFile = join(directory, "rows.jsonl");
    const fixture = join(reader, "fixture/data-directory.tar.zst");
    await run("tar", ["--extract", "--zstd", "--file", fixture, "--directory", directory]);
    await run(process.execPath, [join(reader, "main.mjs"), join(directory, "database"), rowsFile]);
    lines = (await readFile(rowsFile, "utf8")).trimEnd().split("\n");
  });
  after(async () => {
    await cluster.stop();
    await rm(directory, { recursive: true, force: true });
  });

  async function withClient<Result>(url: string, work: (client: Client) => Promise<Result>) {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  }
  const load = (url: string, file = rowsFile) =>
    withClient(url, (client) => loadExportedRows(client, file));
  const tablesOf = (url: string) =>
    withClient(url, async (client) => {
      const { rows } = await client.query(
        "select tablename from pg_tables where schemaname in ('public', 'drizzle')",
      );
      return rows.length;
    });
  async function withLines(changed: string[]): Promise<string> {
    const file = join(directory, "changed.jsonl");
    await writeFile(file, changed.map((line) => `${line}\n`).join(""));
    return file;
  }

  test("arrive in every table, migrate, and decrypt with the key of their data directory", async () => {
    const tables = new Set(lines.slice(0, -1).map((line) => JSON.parse(line).table));
    assert.equal(tables.size, 18, "the fixture has rows in every table");
    const url = await cluster.createDatabase();
    assert.equal(await load(url), "loaded");
    const { database, close } = await openServerDatabase(url, createRecordingLogger().logger);
    const key = (await readFile(join(directory, "encryption-key"), "utf8")).trim();
    const vault = createVault(createKeyRing([["v1", Buffer.from(key, "hex")]]));
    const rows = await database.select().from(storeSecrets);
    const values = rows.map((row) => vault.decrypt(row, { ...row, kind: "store-secret" }).reveal());
    assert.deepEqual(values.sort(), ["third-value-of-the-fixture", "zweiter Wert: äöü \\ \t \" '"]);
    await close();
  });

  test("are recognised when they are present", async () => {
    const url = await cluster.createDatabase();
    assert.deepEqual([await load(url), await load(url)], ["loaded", "present"]);
  });

  test("of two programs at once are loaded once", async () => {
    const url = await cluster.createDatabase();
    const outcomes = await Promise.all([load(url), load(url)]);
    assert.deepEqual(outcomes.sort(), ["loaded", "present"]);
  });

  const damages: [string, (lines: string[]) => string[], RegExp][] = [
    ["a row is missing", (all) => all.toSpliced(12, 1), /did not take every row.* rows, not /],
    ["a row is present twice", (all) => all.toSpliced(12, 0, all[12] ?? ""), /duplicate key/],
    [
      "a value differs",
      (all) => all.map((line) => line.replace('\\"kept project\\"', '\\"kept projecT\\"')),
      /did not take every row.*public\.projects has rows that differ/,
    ],
    ["the end is missing", (all) => all.slice(0, -1), /incomplete: its end is missing/],
    [
      "a line is cut off",
      (all) => all.with(12, (all[12] ?? "").slice(0, 40)),
      /line 13 is neither/,
    ],
    ["more follows the end", (all) => [...all, all[0] ?? ""], /continues after its end/],
    [
      "it is of a newer version",
      (all) => [...Array.from({ length: 90 }, () => all[0] ?? ""), ...all],
      /100 migrations, and this version knows \d+/,
    ],
  ];
  for (const [name, damage, expected] of damages) {
    test(`are refused, and nothing is changed, when ${name}`, async () => {
      const url = await cluster.createDatabase();
      const changed = damage(lines);
      assert.notDeepEqual(changed, lines);
      await assert.rejects(load(url, await withLines(changed)), expected);
      assert.equal(await tablesOf(url), 0);
    });
  }

  test("of a file with flipped bytes are read as they were or refused", async () => {
    const random = createSeededRandom("former rows");
    const original = await readFile(rowsFile);
    for (let round = 0; round < 200; round += 1) {
      const damaged = Buffer.from(original);
      damaged[Math.floor(random() * damaged.length)] = Math.floor(random() * 256);
      const file = join(directory, "damaged.jsonl");
      await writeFile(file, damaged);
      let rows = 0;
      try {
        await readExportedRows(file, async () => {
          rows += 1;
        });
        assert.ok(rows <= lines.length);
      } catch (error) {
        assert.ok(error instanceof Error && error.message.includes(file), String(error));
      }
    }
  });
});
