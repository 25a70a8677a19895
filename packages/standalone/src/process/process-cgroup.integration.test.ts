import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chown, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { ensureSystemUsers, type SystemUsers } from "../installation/system-users.ts";
import { until } from "../testing/until.ts";
import type { Confinement } from "./confinement.ts";
import { findCgroupParent, ProcessCgroup } from "./process-cgroup.ts";
import { startProcess } from "./start-process.ts";
import { SupervisedProcess } from "./supervised-process.ts";

const version1Parent = "/sys/fs/cgroup/pids";
const parents = [await findCgroupParent(), version1Parent].filter(
  (path) => path !== undefined && existsSync(join(path, "cgroup.procs")),
);
assert.ok(parents.length > 0, "this host has no control groups that can be used");

for (const parent of new Set(parents)) {
  describe(`a confined process in a control group below ${parent}`, () => {
    const name = `opencomputer-test-${process.pid}`;
    const group = join(parent ?? "", name);
    let directory: string;
    let users: SystemUsers;

    before(async () => {
      users = await ensureSystemUsers();
      directory = await mkdtemp(join(tmpdir(), "process-cgroup-"));
      await mkdir(join(directory, "root"));
      await chown(directory, users.database.userId, users.database.groupId);
    });
    after(() => rm(directory, { recursive: true }));

    const confinement = (): Confinement => ({
      user: users.database,
      mountPoint: join(directory, "root"),
      capabilities: [],
      readOnlyPaths: [],
      writablePaths: [directory],
      copiedFiles: [],
    });
    /** Leaves a process behind that has another session and holds its output open. */
    const start = async (file: string, { stopsBySignal = false } = {}) => {
      const notes: string[] = [];
      const trap = stopsBySignal ? "trap 'exit 0' TERM;" : "";
      const supervised = SupervisedProcess.start({
        definition: {
          name: "sample",
          command: [
            ...["/bin/sh", "-c"],
            `${trap} setsid sh -c 'echo $$ >> "$1"; exec sleep 1000' sh ${file} & wait`,
          ],
          environment: { PATH: process.env["PATH"] ?? "" },
          hasChannel: false,
          confinement: confinement(),
        },
        cgroup: await ProcessCgroup.create(parent ?? "", name),
        log: new PassThrough().resume(),
        onNote: (text) => notes.push(text),
        mayPersist: () => true,
        onGiveUp: assert.fail,
      });
      return { supervised, notes };
    };
    const leftBehind = async (file: string): Promise<number[]> => {
      const text = existsSync(file) ? await readFile(file, "utf8") : "";
      return text.split("\n").filter(Boolean).map(Number);
    };
    /** A process that was killed stays as a zombie until its parent takes notice. */
    const isRunning = async (pid: number) => {
      const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
      return status !== "" && !/^State:\tZ/m.test(status);
    };

    test("what it leaves running is ended when it is stopped, and the group is removed", async () => {
      const file = join(directory, "stopped");
      const { supervised } = await start(file, { stopsBySignal: true });
      await until("it left one behind", async () => (await leftBehind(file)).length === 1);
      const [pid = 0] = await leftBehind(file);
      assert.ok(await isRunning(pid));
      await supervised.stop();
      assert.ok(!(await isRunning(pid)), `process ${pid} still runs`);
      assert.ok(!existsSync(group), `${group} still exists`);
    });

    test("what it leaves running is ended when it crashes, before it is started again", async () => {
      const file = join(directory, "crashed");
      const { supervised, notes } = await start(file);
      await until("it left one behind", async () => (await leftBehind(file)).length === 1);
      process.kill(supervised.pid() ?? 0, "SIGKILL");
      await until("it was started again", async () => (await leftBehind(file)).length === 2);
      const [first = 0, second = 0] = await leftBehind(file);
      assert.ok(!(await isRunning(first)), notes.join("\n"));
      assert.ok(await isRunning(second), notes.join("\n"));
      await supervised.stop();
      assert.ok(!(await isRunning(second)));
    });

    test("it has its channel: it gets messages, and the end of the supervisor", async () => {
      const file = join(directory, "channel");
      const script = `
        const { appendFileSync } = require("node:fs");
        const note = (text) => appendFileSync(${JSON.stringify(file)}, text + "\\n");
        process.on("message", (message) => note(message.type));
        process.on("disconnect", () => { note("disconnected"); process.exit(0); });
        note("started");`;
      const { child, channel } = startProcess(
        {
          name: "sample",
          command: [process.execPath, "--eval", script],
          environment: { PATH: process.env["PATH"] ?? "" },
          confinement: { ...confinement(), readOnlyPaths: [process.execPath] },
        },
        { log: new PassThrough().resume(), onNote: assert.fail },
        await ProcessCgroup.create(parent ?? "", name),
      );
      const closed = once(child, "close");
      const notes = async () => (existsSync(file) ? (await readFile(file, "utf8")).trim() : "");
      await until("it started", async () => (await notes()) === "started");
      channel?.write('{"type":"service-state"}\n');
      await until("it got the message", async () => (await notes()).endsWith("service-state"));
      channel?.destroy();
      await closed;
      assert.match(await notes(), /disconnected$/);
    });

    test("what a supervisor that was killed left in the group is ended by the next", async () => {
      const file = join(directory, "former");
      const former = await start(file);
      await until("it left one behind", async () => (await leftBehind(file)).length === 1);
      const [pid = 0] = await leftBehind(file);
      const next = await ProcessCgroup.create(parent ?? "", name);
      await until("it ended", async () => !(await isRunning(pid)));
      await former.supervised.stop();
      await next.remove();
    });

    test("is made again for a process when something removed it", async () => {
      const removed = await ProcessCgroup.create(parent ?? "", `${name}-again`);
      await removed.remove();
      const [program = "", ...parameters] = removed.commandInside(["cat", "/proc/self/cgroup"]);
      const { stdout } = await promisify(execFile)(program, parameters);
      assert.match(stdout, new RegExp(`/${name}-again$`, "m"));
      await removed.remove();
    });

    test("has nothing to end once it was removed", async () => {
      const removed = await ProcessCgroup.create(parent ?? "", `${name}-removed`);
      await removed.remove();
      await removed.endProcesses();
    });
  });
}
