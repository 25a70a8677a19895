import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { lstat, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { promisify } from "node:util";
import { publishApiKey } from "./publish-api-key.ts";

const key = `osb_${"0123456789abcdef".repeat(4)}`;
const otherKey = `osb_${"f".repeat(64)}`;

describe("publishApiKey", () => {
  let directory: string;
  let source: string;
  let apiKeyFile: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "publish-api-key-"));
    await mkdir(join(directory, "control-plane"));
    source = join(directory, "control-plane/api-key");
    apiKeyFile = join(directory, "api-key");
  });
  afterEach(() => rm(directory, { recursive: true }));
  const publish = () =>
    publishApiKey({ controlPlaneDirectory: join(directory, "control-plane"), apiKeyFile });
  const expectRefusal = async (message: RegExp) => {
    await assert.rejects(publish(), message);
    await assert.rejects(lstat(apiKeyFile), { code: "ENOENT" });
  };

  test("the key is in a regular file of root's, in the place of a link to the control plane's", async () => {
    await writeFile(source, `${key}\n`);
    await symlink("control-plane/api-key", apiKeyFile);
    await publish();
    assert.equal(await readFile(apiKeyFile, "utf8"), `${key}\n`);
    const entry = await lstat(apiKeyFile);
    assert.deepEqual([entry.isFile(), entry.mode & 0o777, entry.uid], [true, 0o600, 0]);
    assert.equal(await readFile(source, "utf8"), `${key}\n`);
  });

  test("a newer key takes the place of a former one", async () => {
    for (const each of [key, otherKey]) {
      await writeFile(source, `${each}\n`);
      await publish();
      assert.equal(await readFile(apiKeyFile, "utf8"), `${each}\n`);
    }
  });

  test("a link is not followed, also where an API key is at its end", async () => {
    await writeFile(join(directory, "of-root"), `${otherKey}\n`);
    await symlink(join(directory, "of-root"), source);
    await expectRefusal(/expected a file with an API key in .*control-plane\/api-key: ELOOP/);
  });

  test("what is no API key is not copied, nor named", async () => {
    for (const text of ["", "root:x:0:0", `${key}0`, `${key}\n${key}`, "x".repeat(100_000)]) {
      await writeFile(source, text);
      await expectRefusal(/what it holds is none\.$/);
    }
  });

  test("a named pipe, a directory and an absent file are refused", async () => {
    await expectRefusal(/ENOENT/);
    await mkdir(source);
    await expectRefusal(/no regular file/);
    await rm(source, { recursive: true });
    await promisify(execFile)("mkfifo", [source]);
    await expectRefusal(/no regular file/);
  });
});
