import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { test } from "node:test";
import { openPartialDirectory } from "./partial-directory.ts";

test("openPartialDirectory deletes what ended builds left, and keeps those of running ones", async () => {
  const directory = await mkdtemp(join(tmpdir(), "partial-"));
  const living = spawn("sleep", ["60"]);
  const dead = spawn("true");
  try {
    await once(dead, "exit");
    for (const name of [`.partial-${living.pid}`, `.partial-${dead.pid}`, ".partial-nonsense"]) {
      await mkdir(join(directory, name));
      await writeFile(join(directory, name, "root"), "");
    }
    await writeFile(join(directory, "kernel"), "");
    const partial = await openPartialDirectory(directory);
    assert.deepEqual(
      (await readdir(directory)).sort(),
      [`.partial-${living.pid}`, basename(partial), "kernel"].sort(),
    );
    assert.deepEqual(await readdir(partial), []);
  } finally {
    living.kill();
    await rm(directory, { recursive: true });
  }
});
