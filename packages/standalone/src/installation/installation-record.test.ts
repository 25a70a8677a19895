import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cp, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { loadInstallationRecord } from "./installation-record.ts";

describe("loadInstallationRecord", () => {
  let root: string;
  let data: string;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "installation-"));
    data = join(root, "data");
  });
  afterEach(() => rm(root, { recursive: true }));
  const idOfPath = () => createHash("sha256").update(data).digest("hex").slice(0, 8);

  test("a new directory gets an id that does not follow from its path, once", async () => {
    const made = await Promise.all([loadInstallationRecord(data), loadInstallationRecord(data)]);
    assert.deepEqual(made[0], made[1]);
    assert.notEqual(made[0].id, idOfPath());
    assert.deepEqual(await loadInstallationRecord(data), made[0]);
    assert.deepEqual(await readdir(data), ["installation.json"]);
    await rm(data, { recursive: true });
    assert.notEqual((await loadInstallationRecord(data)).id, made[0].id);
  });

  test("a directory of an earlier version keeps its id and its block", async () => {
    await loadInstallationRecord(data);
    await rm(join(data, "installation.json"));
    await writeFile(join(data, "network-block"), "198.19.20.0/22\n");
    const expected = { version: 1, id: idOfPath(), networkBlock: "198.19.20.0/22" };
    assert.deepEqual(await loadInstallationRecord(data), expected);
  });

  test("a directory whose block was lost in a power failure gets another", async () => {
    await loadInstallationRecord(data);
    await rm(join(data, "installation.json"));
    await writeFile(join(data, "network-block"), "");
    const { id, networkBlock } = await loadInstallationRecord(data);
    assert.equal(id, idOfPath());
    assert.match(networkBlock, /^198\.1[89]\.\d+\.0\/22$/);
  });

  test("a directory that was moved or copied keeps its id", async () => {
    const made = await loadInstallationRecord(data);
    await rename(data, join(root, "moved"));
    assert.deepEqual(await loadInstallationRecord(join(root, "moved")), made);
    await cp(join(root, "moved"), join(root, "copy"), { recursive: true });
    assert.deepEqual(await loadInstallationRecord(join(root, "copy")), made);
  });

  for (const text of ["", "{", '{"version":2,"id":"00c0ffee"}', '{"version":1,"id":"../x"}']) {
    test(`${JSON.stringify(text)} is refused, and stays`, async () => {
      await loadInstallationRecord(data);
      const path = join(data, "installation.json");
      await writeFile(path, text);
      await assert.rejects(loadInstallationRecord(data), /installation\.json cannot be read/);
      assert.equal(await readFile(path, "utf8"), text);
    });
  }
});
