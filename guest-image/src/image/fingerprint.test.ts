import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { computeFingerprint } from "./fingerprint.ts";

describe("computeFingerprint", () => {
  let directory = "";
  const write = (path: string, text: string) => writeFile(join(directory, path), text);
  const fingerprint = () =>
    computeFingerprint({
      agentDirectory: join(directory, "agent"),
      buildDirectory: join(directory, "build"),
    });

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "fingerprint-"));
    for (const path of ["agent/internal/testing", "build/testing"]) {
      await mkdir(join(directory, path), { recursive: true });
    }
    await write("agent/go.mod", "module x");
    await write("agent/main.go", "package main");
    await write("build/main.ts", "1;");
  });
  after(async () => await rm(directory, { recursive: true }));

  test("is the same for the same sources", async () => {
    assert.equal(await fingerprint(), await fingerprint());
    assert.match(await fingerprint(), /^[0-9a-f]{64}$/);
  });

  for (const path of [
    ...["agent/go.mod", "agent/main.go", "agent/internal/new.go"],
    ...["build/main.ts", "build/module.c", "build/hook.cjs", "build/site.py"],
  ]) {
    test(`changes with ${path}`, async () => {
      const earlier = await fingerprint();
      await write(path, "// changed");
      assert.notEqual(await fingerprint(), earlier);
    });
  }

  for (const path of [
    "agent/main_test.go",
    "agent/agent.bin",
    "build/main.test.ts",
    "build/testing/helper.ts",
  ]) {
    test(`does not change with ${path}`, async () => {
      const earlier = await fingerprint();
      await write(path, "// changed");
      assert.equal(await fingerprint(), earlier);
    });
  }

  test("changes when content moves from one file to another", async () => {
    await write("build/a.ts", "xy");
    await write("build/b.ts", "");
    const earlier = await fingerprint();
    await write("build/a.ts", "x");
    await write("build/b.ts", "y");
    assert.notEqual(await fingerprint(), earlier);
  });
});
