import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { holderOf, holdRuntimeDirectory, removeRuntimeDirectory } from "./runtime-directory.ts";

describe("holdRuntimeDirectory", () => {
  let root: string;
  let runtime: string;
  const at = (name: string) => join(root, name);
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), "holder-"));
    runtime = at("run");
    for (const name of ["run/machines/a", "original", "copy"]) {
      await mkdir(at(name), { recursive: true });
    }
    await holdRuntimeDirectory(runtime, at("original"));
  });
  afterEach(() => rm(root, { recursive: true }));
  const addMachine = () => writeFile(at("run/machines/a/monitor.sock"), "");

  test("a copy is refused while machines of its original run", async () => {
    await addMachine();
    await assert.rejects(holdRuntimeDirectory(runtime, at("copy")), {
      message: /copy is a copy of .*original, whose machines still run/,
    });
    assert.equal(await holderOf(runtime), at("original"));
    await holdRuntimeDirectory(runtime, at("original"));
  });

  test("a copy may take the place of an original of which nothing runs", async () => {
    await holdRuntimeDirectory(runtime, at("copy"));
    assert.equal(await holderOf(runtime), at("copy"));
  });

  test("a directory that was moved keeps its machines", async () => {
    await addMachine();
    await rename(at("original"), at("moved"));
    await holdRuntimeDirectory(runtime, at("moved"));
    assert.equal(await holderOf(runtime), at("moved"));
  });

  test("a copy keeps the machines of an original that was deleted", async () => {
    await addMachine();
    await rm(at("original"), { recursive: true });
    await holdRuntimeDirectory(runtime, at("copy"));
    assert.equal(await holderOf(runtime), at("copy"));
  });

  test("a record that cannot be read counts as absent", async () => {
    await writeFile(at("run/data-directory.json"), "{");
    assert.equal(await holderOf(runtime), undefined);
    await holdRuntimeDirectory(runtime, at("copy"));
    assert.equal(await holderOf(runtime), at("copy"));
  });

  test("the runtime directory is removed, unless machines still run", async () => {
    await addMachine();
    await removeRuntimeDirectory(runtime);
    assert.deepEqual((await readdir(runtime)).sort(), ["data-directory.json", "machines"]);
    await rm(at("run/machines/a/monitor.sock"));
    await removeRuntimeDirectory(runtime);
    assert.deepEqual((await readdir(root)).sort(), ["copy", "original"]);
  });

  for (const [name, put] of [
    ["a file", (path: string) => writeFile(path, "")],
    ["a directory", (path: string) => mkdir(path)],
    ["a link to a directory", (path: string) => symlink(at("outside"), path)],
  ] as const) {
    test(`${name} in a directory of a confined user keeps the runtime directory`, async () => {
      await mkdir(at("outside"));
      await writeFile(at("outside/file"), "");
      await mkdir(at("run/egress-proxy"));
      await put(at("run/egress-proxy/foreign"));
      await removeRuntimeDirectory(runtime);
      assert.deepEqual(await readdir(at("run/egress-proxy")), ["foreign"]);
      assert.deepEqual(await readdir(at("outside")), ["file"]);
      assert.equal(await holderOf(runtime), at("original"));
    });
  }

  test("a link instead of a machine's directory is not followed", async () => {
    await mkdir(at("outside"));
    await symlink(at("outside"), at("run/machines/b"));
    await removeRuntimeDirectory(runtime);
    assert.ok((await readdir(root)).includes("outside"));
    assert.deepEqual(await readdir(at("run/machines")), ["b"]);
  });
});
