import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { migrateRecord, type RecordKind, readRecord, writeRecord } from "./record-kind.ts";

const schema = z.object({ sizeBytes: z.int(), name: z.string().nullable() });
const kind: RecordKind<typeof schema> = {
  schema,
  migrations: [
    ({ sizeMB, ...record }) => ({ ...record, sizeBytes: Number(sizeMB) * 1024 * 1024 }),
    (record) => ({ ...record, name: null }),
  ],
};

describe("records", () => {
  const mebi = 1024 * 1024;
  for (const [what, content, expected] of [
    ["without a version", { sizeMB: 1 }, { sizeBytes: mebi, name: null }],
    ["of version 1", { version: 1, sizeMB: 1 }, { sizeBytes: mebi, name: null }],
    ["of version 2", { version: 2, sizeBytes: 7 }, { sizeBytes: 7, name: null }],
    ["of version 3", { version: 3, sizeBytes: 7, name: "a" }, { sizeBytes: 7, name: "a" }],
  ] as const) {
    test(`one ${what} is read in its current form`, () => {
      assert.deepEqual(migrateRecord(kind, content), expected);
    });
  }

  for (const [what, content, message] of [
    ["of a later version", { version: 4, sizeBytes: 7 }, /version 4.*up to 3/],
    ["of version 0", { version: 0 }, /version/],
    ["with a version that is no number", { version: "3" }, /version/],
    ["of the present version in an older form", { version: 3, sizeMB: 1 }, /sizeBytes/],
    ["that is no object", [], /object/],
    ["that is nothing", null, /object/],
  ] as const) {
    test(`one ${what} is refused`, () => {
      assert.throws(() => migrateRecord(kind, content), message);
    });
  }

  describe("on disk", () => {
    let directory: string;
    before(async () => {
      directory = await mkdtemp(join(tmpdir(), "records-"));
    });
    after(() => rm(directory, { recursive: true }));

    test("what is written has the current version, and can be read", async () => {
      const path = join(directory, "a.json");
      await writeRecord(path, kind, { sizeBytes: 7, name: "a" });
      const expected = { version: 3, sizeBytes: 7, name: "a" };
      assert.deepEqual(JSON.parse(await readFile(path, "utf8")), expected);
      assert.deepEqual(await readRecord(path, kind), { sizeBytes: 7, name: "a" });
    });

    test("an absent file is undefined; one of a later version is refused with its name", async () => {
      assert.equal(await readRecord(join(directory, "none.json"), kind), undefined);
      const path = join(directory, "later.json");
      await writeFile(path, '{"version": 4}');
      await assert.rejects(readRecord(path, kind), /later\.json is not of the expected form/);
      assert.equal(await readFile(path, "utf8"), '{"version": 4}');
    });
  });
});
