import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { z } from "zod";
import { failSyncOf } from "../testing/fail-sync-of.ts";
import { readJsonFile, writeJsonFile } from "./write-json-file.ts";

const schema = z.object({ count: z.int() });

describe("writeJsonFile and readJsonFile", () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "json-"));
  });
  after(() => rm(directory, { recursive: true }));

  test("reads what was written, also after it was replaced", async () => {
    const path = join(directory, "a.json");
    await writeJsonFile(path, { count: 1 });
    await writeJsonFile(path, { count: 2 });
    assert.deepEqual(await readJsonFile(path, schema), { count: 2 });
    assert.deepEqual(await readdir(directory), ["a.json"]);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
  });

  test("a file that does not exist is undefined", async () => {
    assert.equal(await readJsonFile(join(directory, "none.json"), schema), undefined);
  });

  test("on a disk that does not keep the new name, the old content stays, or no file", async () => {
    const path = join(directory, "c.json");
    const failToWrite = async () => {
      const recover = await failSyncOf(directory);
      await assert.rejects(writeJsonFile(path, { count: 2 }), { code: "EIO" }).finally(recover);
    };
    const before = await readdir(directory);
    await failToWrite();
    assert.deepEqual(await readdir(directory), before);
    await writeJsonFile(path, { count: 1 });
    await failToWrite();
    assert.deepEqual(await readJsonFile(path, schema), { count: 1 });
    assert.equal((await stat(path)).mode & 0o777, 0o600);
  });

  for (const text of ["", "{", '{"count":"1"}', "null"]) {
    test(`${JSON.stringify(text)} is refused with the file's name`, async () => {
      const path = join(directory, "b.json");
      await writeFile(path, text);
      await assert.rejects(readJsonFile(path, schema), /b\.json is not of the expected form/);
    });
  }

  test("a directory that does not exist is an error, and no file is left", async () => {
    await assert.rejects(writeJsonFile(join(directory, "none/a.json"), {}), /ENOENT/);
  });
});
