import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chown, mkdir, readdir, readFile, readlink, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { createPrivateCluster, type PrivateCluster } from "../testing/private-cluster.ts";
import { runAsDatabaseUser } from "./database-user.ts";
import type { PreparedCluster } from "./prepare-cluster.ts";

describe("the private cluster", () => {
  let cluster: PrivateCluster;
  let prepared: PreparedCluster;
  before(async () => {
    cluster = await createPrivateCluster();
    prepared = await cluster.prepare();
    await cluster.start(prepared);
    await cluster.openRoot();
  });
  after(() => cluster.remove());

  const serverPid = async () =>
    Number((await readFile(join(prepared.directory, "postmaster.pid"), "utf8")).split("\n")[0]);
  const endServer = async () => {
    await cluster.prepare();
    assert.equal(existsSync(join(prepared.directory, "postmaster.pid")), false);
  };
  const denied = (systemUser: string, role: string) =>
    assert.rejects(cluster.query("select 1", { systemUser, role }));

  test("syncs what it commits, checks what it reads, and listens on no port", async () => {
    const settings = ["fsync", "full_page_writes", "synchronous_commit", "data_checksums"];
    for (const setting of settings) {
      assert.equal(await cluster.query(`show ${setting}`), "on", setting);
    }
    assert.equal(await cluster.query("show listen_addresses"), "");
    const { stdout } = await promisify(execFile)("ss", ["--tcp", "--listening", "--processes"]);
    assert.ok(!stdout.includes(`pid=${await serverPid()},`), stdout);
  });

  test("runs as its user, in a directory of which the host's other users see nothing", async () => {
    const pid = (await readFile(join(prepared.directory, "postmaster.pid"), "utf8")).split("\n")[0];
    const status = await readFile(`/proc/${pid}/status`, "utf8");
    assert.match(status, new RegExp(`^Uid:\\s+${cluster.users.database.userId}\\s`, "m"));
    assert.match(status, /^CapEff:\s+0+$/m);
    assert.match(status, /^NoNewPrivs:\s+1$/m);
    const { mode, uid } = await stat(prepared.directory);
    assert.deepEqual([mode & 0o777, uid], [0o700, cluster.users.database.userId]);
    assert.equal(existsSync(`/proc/${pid}/root${cluster.directory}`), true);
    for (const path of ["/home", "/root", "/work", "/var"]) {
      assert.equal(existsSync(`/proc/${pid}/root${path}`), false, path);
    }
  });

  test("a program that reads none of its input ends with its own exit code", async () => {
    const input = "x".repeat(4 * 1024 * 1024);
    assert.equal(await runAsDatabaseUser(cluster.confinement, ["true"], { input }), "");
    await assert.rejects(
      runAsDatabaseUser(cluster.confinement, ["sh", "-c", "echo why; exit 3"], { input }),
      { message: "sh ended with exit code 3: why" },
    );
  });

  test("lets the control plane's user and root in, each as the role of the map", async () => {
    const control = cluster.users.controlPlane.name;
    assert.equal(await cluster.query("select 1", { systemUser: control }), "1");
    assert.equal(await cluster.query("select 1"), "1");
    assert.equal(await cluster.query("select 1", { role: "postgres" }), "1");
    await denied(control, "postgres");
    await assert.rejects(cluster.query("create role other"), /permission denied/);
    await cluster.query("create table kept (id int); insert into kept values (1)");
  });

  test("refuses other users: by the directory, and by the map", async () => {
    for (const role of ["opencomputer", "postgres"]) {
      await denied("nobody", role);
      await denied(cluster.users.egressProxy.name, role);
    }
    await assert.rejects(
      cluster.query("select 1", { systemUser: cluster.users.database.name }),
      /Peer authentication failed/,
    );
  });

  test("is found again after SIGKILL, with a postmaster.pid that names another process", async () => {
    const pidFile = join(prepared.directory, "postmaster.pid");
    const pid = Number((await readFile(pidFile, "utf8")).split("\n")[0]);
    process.kill(pid, "SIGKILL");
    const stale = (await readFile(pidFile, "utf8")).replace(/^\d+/, String(process.pid));
    await writeFile(pidFile, stale);
    const again = await cluster.prepare();
    assert.deepEqual(again, prepared);
    assert.equal(existsSync(pidFile), false);
    await cluster.start(again);
    assert.equal(await cluster.query("select id from kept"), "1");
  });

  test("is ended before a new start when a supervisor left it running", async () => {
    const pidFile = join(prepared.directory, "postmaster.pid");
    const pid = Number((await readFile(pidFile, "utf8")).split("\n")[0]);
    await cluster.prepare();
    // It may be a zombie for a moment: this process is its parent.
    await assert.rejects(readlink(`/proc/${pid}/exe`), { code: "ENOENT" });
    const child = await cluster.start(prepared);
    assert.equal(await cluster.query("select id from kept"), "1");
    const closed = once(child, "close");
    child.kill("SIGINT");
    assert.deepEqual(await closed, [0, null]);
  });

  test("takes no settings from the files that its own user writes", async () => {
    await endServer();
    const settings = [
      ...["fsync = off", "full_page_writes = off", "synchronous_commit = off"],
      ...["listen_addresses = '127.0.0.1'", "log_statement = 'all'", "log_min_messages = 'debug5'"],
      ...["log_min_duration_statement = 0", "log_min_error_statement = 'error'"],
    ];
    const asItsUser = ["--reuid", cluster.users.database.name, "--clear-groups", "tee"];
    for (const name of ["postgresql.auto.conf", "postgresql.conf"]) {
      const child = spawn("setpriv", [...asItsUser, join(prepared.directory, name)], {
        stdio: ["pipe", "ignore", "inherit"],
      });
      child.stdin.end(`${settings.join("\n")}\n`);
      assert.deepEqual(await once(child, "close"), [0, null]);
    }
    await cluster.start(await cluster.prepare());
    for (const [name, expected] of [
      ...[
        ["fsync", "on"],
        ["full_page_writes", "on"],
        ["synchronous_commit", "on"],
      ],
      ...[
        ["listen_addresses", ""],
        ["log_statement", "none"],
        ["log_min_messages", "warning"],
      ],
      ...[
        ["log_min_duration_statement", "-1"],
        ["log_min_error_statement", "panic"],
      ],
    ]) {
      const shown = await cluster.query(`show ${name}`, { role: "postgres" }).catch(String);
      assert.equal(shown, expected, name);
    }
  });

  test("is prepared beside an operator's programs that work in its directory", async () => {
    await endServer();
    const userId = cluster.users.database.userId;
    const programs = [undefined, userId].map((uid) =>
      spawn("sleep", ["600"], { cwd: prepared.directory, ...(uid === undefined ? {} : { uid }) }),
    );
    try {
      await Promise.all(programs.map((program) => once(program, "spawn")));
      await cluster.prepare();
      for (const { exitCode, signalCode } of programs) {
        assert.deepEqual([exitCode, signalCode], [null, null]);
      }
    } finally {
      for (const program of programs) program.kill("SIGKILL");
    }
  });

  test("what is left of an unfinished cluster is deleted with its user's rights alone", async () => {
    const other = await createPrivateCluster();
    try {
      const unfinished = join(other.directory, `${prepared.postgres.major}.new`);
      const { userId, groupId } = other.users.database;
      await mkdir(join(unfinished, "of-root"), { recursive: true, mode: 0o700 });
      await writeFile(join(unfinished, "of-root/file"), "");
      await chown(unfinished, userId, groupId);
      await assert.rejects(other.prepare(), /of-root.*Permission denied/);
      assert.deepEqual(await readdir(join(unfinished, "of-root")), ["file"]);
    } finally {
      await other.remove();
    }
  });

  test("an incomplete cluster is created again", async () => {
    const other = await createPrivateCluster();
    try {
      const { postgres } = prepared;
      const unfinished = join(other.directory, `${postgres.major}.new`);
      await promisify(execFile)("cp", ["--archive", prepared.directory, unfinished]);
      await other.start(await other.prepare());
      assert.equal(await other.query("select to_regclass('kept') is null"), "t");
      assert.equal(existsSync(unfinished), false);
    } finally {
      await other.remove();
    }
  });
});
