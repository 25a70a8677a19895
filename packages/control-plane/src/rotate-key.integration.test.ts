import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chown, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const rotateKeyFile = fileURLToPath(new URL("rotate-key.ts", import.meta.url));
/** Debian's `nobody`, instead of the control plane's user. */
const owner = 65_534;

describe("rotate-key, run by root", () => {
  let dataDirectory: string;
  let directory: string;
  beforeEach(async () => {
    // As of a service: root's alone, with a directory in it that is the control plane's.
    dataDirectory = await mkdtemp(join(tmpdir(), "opencomputer-rotate-key-"));
    directory = join(dataDirectory, "control-plane");
    await mkdir(directory, { mode: 0o700 });
    await writeFile(join(directory, "encryption-key"), `${"ab".repeat(32)}\n`, { mode: 0o600 });
    await chown(join(directory, "encryption-key"), owner, owner);
    await chown(directory, owner, owner);
  });
  afterEach(() => rm(dataDirectory, { recursive: true }));

  const rotate = () =>
    new Promise<{ failed: boolean; output: string }>((resolve) =>
      execFile(
        process.execPath,
        ["--conditions=source", rotateKeyFile],
        { env: { PATH: process.env["PATH"], OPENCOMPUTER_DATA_DIR: dataDirectory } },
        (error, stdout, stderr) => resolve({ failed: error !== null, output: stdout + stderr }),
      ),
    );

  test("writes as the directory's owner, who alone can read both keys", async () => {
    const { failed, output } = await rotate();
    assert.equal(failed, false, output);
    for (const name of ["encryption-key", "encryption-key.previous"]) {
      const { uid, mode } = await stat(join(directory, name));
      assert.deepEqual([uid, mode & 0o777], [owner, 0o600], name);
    }
    const previous = await readFile(join(directory, "encryption-key.previous"), "utf8");
    assert.equal(previous, `${"ab".repeat(32)}\n`);
  });

  test("follows no link of the owner's to what the owner may not write", async () => {
    const target = join(dataDirectory, "of-root");
    await writeFile(target, "untouched", { mode: 0o600 });
    await symlink(target, join(directory, "encryption-key.previous.new"));
    const { failed } = await rotate();
    assert.equal(failed, true);
    assert.equal(await readFile(target, "utf8"), "untouched");
    const key = await readFile(join(directory, "encryption-key"), "utf8");
    assert.equal(key, `${"ab".repeat(32)}\n`);
  });

  test("reports what to do where there is no key", async () => {
    await rm(join(directory, "encryption-key"));
    const { failed, output } = await rotate();
    assert.equal(failed, true);
    assert.match(output, /has no encryption key: it is made at the first start/);
  });
});
