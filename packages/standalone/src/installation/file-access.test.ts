import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { readFileOf } from "./file-access.ts";

describe("readFileOf", () => {
  const owner = { userId: process.getuid?.() ?? 0 };
  const bytesMax = 16;
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "file-access-"));
    await writeFile(join(directory, "own"), "content");
  });
  after(() => rm(directory, { recursive: true }));
  const read = (name: string, user = owner) =>
    readFileOf(user, join(directory, name), { bytesMax });

  test("reads a regular file of the user; an absent one is undefined", async () => {
    assert.equal(await read("own"), "content");
    assert.equal(await read("absent"), undefined);
  });

  test("follows no link, even to a file of the same user", async () => {
    await symlink(join(directory, "own"), join(directory, "link"));
    await assert.rejects(read("link"), { code: "ELOOP" });
  });

  test("refuses a file of another user, and names both", async () => {
    await assert.rejects(
      read("own", { userId: owner.userId + 1 }),
      new RegExp(`file of user ${owner.userId + 1}: it belongs to user ${owner.userId}\\.`),
    );
  });

  test("refuses a pipe without waiting for its writer", async () => {
    await promisify(execFile)("mkfifo", [join(directory, "pipe")]);
    await assert.rejects(read("pipe"), /must be a regular file/);
  });

  test("reads a file of the largest size, and refuses one byte more", async () => {
    await writeFile(join(directory, "large"), "x".repeat(bytesMax));
    assert.equal((await read("large"))?.length, bytesMax);
    await writeFile(join(directory, "large"), "x".repeat(bytesMax + 1));
    await assert.rejects(read("large"), /larger than 16 bytes/);
  });
});
