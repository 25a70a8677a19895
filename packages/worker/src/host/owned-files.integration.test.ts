import assert from "node:assert/strict";
import { constants } from "node:fs";
import { chmod, chown, lstat, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { runProgram } from "../process/run-program.ts";
import { adoptFiles, giveFile, openOwned } from "./owned-files.ts";

const worker = { userId: 60_990, groupId: 60_990 };
const machineUserId = 600_000_001;
const owners = { worker, isMachineUser: (userId: number) => userId >= 600_000_000 };

describe("files that root opens for the worker", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "owned-"));
  });
  afterEach(() => rm(directory, { recursive: true }));

  async function place(name: string, userId: number, mode = 0o600): Promise<string> {
    const path = join(directory, name);
    await writeFile(path, name);
    await chmod(path, mode);
    await chown(path, userId, userId);
    return path;
  }
  async function accessOf(path: string): Promise<[number, number, string]> {
    const { uid, gid, mode } = await lstat(path);
    return [uid, gid, (mode & 0o777).toString(8)];
  }
  const isOpened = async (path: string) => {
    try {
      await (await openOwned(path, constants.O_RDONLY, owners)).close();
      return true;
    } catch (error) {
      assert.ok(error instanceof Error);
      return false;
    }
  };

  test("openOwned opens a file of the worker and one of a machine", async () => {
    assert.ok(await isOpened(await place("worker", worker.userId)));
    assert.ok(await isOpened(await place("machine", machineUserId)));
  });

  test("openOwned opens no other user's file, link, pipe or directory", async () => {
    const root = await place("root", 0, 0o666);
    assert.ok(!(await isOpened(root)));
    const own = await place("own", worker.userId);
    for (const target of [own, "/etc/passwd"]) {
      const path = join(directory, `link-to-${target.replaceAll("/", "-")}`);
      await symlink(target, path);
      assert.ok(!(await isOpened(path)), target);
    }
    const pipe = join(directory, "pipe");
    await runProgram("mkfifo", [pipe]);
    await chown(pipe, worker.userId, worker.groupId);
    assert.ok(!(await isOpened(pipe)));
    const inner = join(directory, "directory");
    await mkdir(inner);
    await chown(inner, worker.userId, worker.groupId);
    assert.ok(!(await isOpened(inner)));
  });

  test("giveFile makes a file writable for a machine and readable for the worker, and no other file", async () => {
    const own = await place("own", worker.userId);
    await giveFile(own, machineUserId, owners);
    assert.deepEqual(await accessOf(own), [machineUserId, worker.groupId, "640"]);
    await giveFile(own, machineUserId + 1, owners);
    assert.deepEqual(await accessOf(own), [machineUserId + 1, worker.groupId, "640"]);
    const root = await place("root", 0);
    const link = join(directory, "link");
    await symlink(root, link);
    for (const path of [root, link]) {
      await assert.rejects(giveFile(path, machineUserId, owners));
      assert.deepEqual(await accessOf(root), [0, 0, "600"]);
    }
  });

  test("adoptFiles makes files of root the worker's, and leaves files of machines to them", async () => {
    const inner = join(directory, "inner");
    await mkdir(inner, { mode: 0o700 });
    const files = {
      root: await place("inner/root", 0),
      machine: await place("inner/machine", machineUserId),
    };
    const outside = await place("outside", 0);
    await symlink(outside, join(inner, "link"));
    for (let turn = 0; turn < 2; turn += 1) {
      await adoptFiles(inner, owners);
      assert.deepEqual(await accessOf(inner), [worker.userId, worker.groupId, "750"]);
      assert.deepEqual(await accessOf(files.root), [worker.userId, worker.groupId, "640"]);
      assert.deepEqual(await accessOf(files.machine), [machineUserId, worker.groupId, "640"]);
      assert.deepEqual(await accessOf(outside), [0, 0, "600"]);
    }
  });
});
