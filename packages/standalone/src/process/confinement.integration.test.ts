import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, chown, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { z } from "zod";
import { ensureSystemUsers, type SystemUsers } from "../installation/system-users.ts";
import { type Confinement, confinedCommand } from "./confinement.ts";

const run = promisify(execFile);
const statusField = (status: string, name: string) =>
  new RegExp(`^${name}:[\\t ]*(.*)$`, "m").exec(status)?.[1] ?? "";

describe("confinedCommand", () => {
  let users: SystemUsers;
  let directory: string;
  let program: string;
  let data: string;

  before(async () => {
    users = await ensureSystemUsers();
    // Like a checkout of root: other users may not enter.
    directory = await mkdtemp(join(tmpdir(), "confinement-"));
    program = join(directory, "checkout");
    data = join(directory, "data");
    for (const path of ["checkout", "data", "data/own", "data/others", "mount"]) {
      await mkdir(join(directory, path));
    }
    await chown(join(data, "own"), users.egressProxy.userId, users.egressProxy.groupId);
    await writeFile(join(data, "others/secret"), "canary");
    await writeFile(join(program, "main.cjs"), "module.exports = require('node:fs');");
  });
  after(() => rm(directory, { recursive: true }));

  const confinement = (own: Partial<Confinement> = {}): Confinement => ({
    user: users.egressProxy,
    capabilities: [],
    mountPoint: join(directory, "mount"),
    readOnlyPaths: [program, process.execPath],
    writablePaths: [join(data, "own")],
    copiedFiles: [],
    ...own,
  });
  /** What the expression is for the confined process; of an error its code. */
  const evaluate = async (expression: string, own: Partial<Confinement> = {}): Promise<unknown> => {
    const script = `const fs = require(${JSON.stringify(join(program, "main.cjs"))});
      const attempt = (act) => { try { return act() ?? "done"; } catch (error) { return error.code; } };
      console.log(JSON.stringify(${expression}));`;
    const [command = "", ...args] = confinedCommand(
      [process.execPath, "-e", script],
      confinement(own),
    );
    const { stdout } = await run(command, args, { env: { PATH: process.env["PATH"] } });
    return JSON.parse(stdout);
  };
  const readStatus = async (own: Partial<Confinement> = {}) =>
    z.string().parse(await evaluate(`fs.readFileSync("/proc/self/status", "utf8")`, own));

  test("the process has its user alone, no group of root's, and no capability", async () => {
    const status = await readStatus();
    const { userId, groupId } = users.egressProxy;
    assert.equal(statusField(status, "Uid"), Array(4).fill(userId).join("\t"));
    assert.equal(statusField(status, "Gid"), Array(4).fill(groupId).join("\t"));
    assert.equal(statusField(status, "Groups").trim(), "");
    assert.equal(statusField(status, "NoNewPrivs"), "1");
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]) {
      assert.equal(statusField(status, set), "0000000000000000", set);
    }
  });

  test("a capability that it needs is kept, and no other", async () => {
    const status = await readStatus({ capabilities: ["net_bind_service"] });
    for (const set of ["CapEff", "CapBnd"]) {
      assert.equal(statusField(status, set), "0000000000000400", set);
    }
  });

  test("it can write to its own directory; not to program, system and root directory", async () => {
    const write = (path: string) =>
      evaluate(`attempt(() => fs.writeFileSync(${JSON.stringify(path)}, "written"))`);
    assert.equal(await write(join(data, "own/file")), "done");
    assert.equal(await readFile(join(data, "own/file"), "utf8"), "written");
    assert.equal((await stat(join(data, "own/file"))).mode & 0o777, 0o600);
    assert.equal(await write(join(program, "main.cjs")), "EROFS");
    assert.equal(await write("/etc/cron.d/opencomputer-canary"), "EROFS");
    assert.equal(await write("/canary"), "EACCES");
  });

  test("other files of the host do not exist, not even by name", async () => {
    const read = (path: string) =>
      evaluate(`attempt(() => fs.readdirSync(${JSON.stringify(path)}))`);
    assert.deepEqual(await read(data), ["own"]);
    assert.deepEqual(await read(join(data, "others")), "ENOENT");
    assert.deepEqual(await read(directory), ["checkout", "data"]);
    assert.equal(await read("/var"), "ENOENT");
    assert.equal(await read("/.old"), "ENOENT");
  });

  test("a path through another process does not reach the host's root", async () => {
    for (const path of ["/proc/1/root", "/proc/1/environ", `/proc/${process.pid}/environ`]) {
      assert.equal(await evaluate(`attempt(() => fs.readFileSync("${path}"))`), "ENOENT", path);
    }
    // Processes of another installation may have the same user.
    const owners = await evaluate(
      `fs.readdirSync("/proc").filter((name) => /^\\d+$/.test(name))
        .map((name) => attempt(() => fs.statSync("/proc/" + name).uid))
        .filter((owner) => owner !== "ENOENT" && owner !== ${users.egressProxy.userId})`,
    );
    assert.deepEqual(owners, []);
  });

  test("a file that only root may read exists as a copy; an absent one stays absent", async () => {
    const file = join(directory, "ca.pem");
    await writeFile(file, "certificate");
    await chmod(file, 0o600);
    const read = (path: string) =>
      `attempt(() => fs.readFileSync(${JSON.stringify(path)}, "utf8"))`;
    const copied = { copiedFiles: [file, join(directory, "absent.pem")] };
    assert.equal(await evaluate(read(file), copied), "certificate");
    assert.equal(await evaluate(read(join(directory, "absent.pem")), copied), "ENOENT");
    assert.equal(await evaluate(read(file)), "ENOENT");
  });

  test("nothing of it is mounted for the host, and the mount point stays empty", async () => {
    await evaluate("1");
    assert.ok(!(await readFile("/proc/self/mounts", "utf8")).includes(directory));
    await rm(join(directory, "mount"), { recursive: true });
    await mkdir(join(directory, "mount"));
  });
});
