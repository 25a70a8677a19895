import assert from "node:assert/strict";
import { lstat, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { describeInstallation, type Installation } from "./installation.ts";
import { giveDirectory, prepareDirectories } from "./prepare-directories.ts";
import { ensureSystemUsers, type SystemUsers } from "./system-users.ts";

describe("prepareDirectories", () => {
  let installation: Installation;
  let users: SystemUsers;
  beforeEach(async () => {
    users = await ensureSystemUsers();
    installation = describeInstallation(await mkdtemp(join(tmpdir(), "prepare-directories-")), {
      version: 1,
      id: "5a7e00aa",
      networkBlock: "198.18.0.0/22",
    });
    await mkdir(installation.runtimeDirectory);
  });
  afterEach(async () => {
    await rm(installation.dataDirectory, { recursive: true });
    await rm(installation.runtimeDirectory, { recursive: true });
  });
  const prepare = (hasPresetApiKey = false) =>
    prepareDirectories(installation, users, { hasPresetApiKey, egressProxyCount: 2 });
  const accessOf = async (path: string) => {
    const { uid, gid, mode } = await lstat(path);
    return { uid, gid, mode: (mode & 0o7777).toString(8) };
  };
  const privateTo = (name: keyof SystemUsers, mode = "700") => ({
    uid: users[name].userId,
    gid: users[name].groupId,
    mode,
  });

  test("each directory belongs to the user of its process", async () => {
    await prepare();
    const { dataDirectory, controlPlaneDirectory, databaseDirectory } = installation;
    assert.deepEqual(await accessOf(dataDirectory), { uid: 0, gid: 0, mode: "700" });
    assert.deepEqual(await accessOf(controlPlaneDirectory), privateTo("controlPlane"));
    assert.deepEqual(await accessOf(databaseDirectory), { uid: 0, gid: 0, mode: "711" });
    assert.deepEqual(await accessOf(installation.databaseSocketDirectory), {
      ...{ uid: users.database.userId, gid: users.controlPlane.groupId, mode: "2750" },
    });
    const group = users.controlPlane.groupId;
    assert.deepEqual(await accessOf(dirname(installation.workerSocket)), {
      ...{ uid: users.worker.userId, gid: group, mode: "2750" },
    });
    for (const index of [0, 1]) {
      assert.deepEqual(await accessOf(dirname(installation.egressProxySocket(index))), {
        ...{ uid: users.egressProxy.userId, gid: group, mode: "2750" },
      });
    }
  });

  test("key files of an earlier version are moved, and the API key is found where it was", async () => {
    const { dataDirectory, controlPlaneDirectory } = installation;
    await writeFile(join(dataDirectory, "encryption-key"), "key\n", { mode: 0o600 });
    await writeFile(join(dataDirectory, "api-key"), "osb_key\n", { mode: 0o600 });
    await prepare();
    await prepare();
    const key = join(controlPlaneDirectory, "encryption-key");
    assert.equal(await readFile(key, "utf8"), "key\n");
    assert.deepEqual(await accessOf(key), privateTo("controlPlane", "600"));
    assert.equal(await readFile(installation.apiKeyFile, "utf8"), "osb_key\n");
    await assert.rejects(lstat(join(dataDirectory, "encryption-key")), { code: "ENOENT" });
  });

  test("a preset API key leaves no link to a file that is not made", async () => {
    await prepare(true);
    await assert.rejects(lstat(installation.apiKeyFile), { code: "ENOENT" });
  });

  test("a key that is in both places is never overwritten", async () => {
    await prepare();
    const former = join(installation.dataDirectory, "encryption-key");
    const current = join(installation.controlPlaneDirectory, "encryption-key");
    await writeFile(former, "former");
    await writeFile(current, "current");
    await assert.rejects(prepare(), (error: Error) => error.message.includes("both exist"));
    assert.equal(await readFile(former, "utf8"), "former");
    assert.equal(await readFile(current, "utf8"), "current");
  });

  test("a change of owners that was cut short is done again, and follows no link", async () => {
    const directory = join(installation.dataDirectory, "given");
    const outside = join(installation.dataDirectory, "outside");
    await mkdir(directory);
    await writeFile(outside, "");
    await writeFile(join(directory, "file"), "");
    await symlink(outside, join(directory, "link"));
    await giveDirectory(directory, users.controlPlane);
    const { uid } = await lstat(join(directory, "file"));
    assert.equal(uid, users.controlPlane.userId);
    assert.equal((await lstat(outside)).uid, 0);
  });
});
