import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { ProcessState } from "@opencomputer/protocol/api";
import { z } from "zod";
import { until } from "../testing/until.ts";
import { ProcessCgroup } from "./process-cgroup.ts";
import {
  auditDescriptor,
  channelDescriptor,
  type ProcessDefinition,
  secretsDescriptor,
} from "./start-process.ts";
import { SupervisedProcess } from "./supervised-process.ts";

describe("SupervisedProcess", () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "supervised-"));
  });
  after(() => rm(directory, { recursive: true }));

  const define = async (script: string, environment = {}): Promise<ProcessDefinition> => {
    const mainFile = join(directory, `${Math.random().toString(36).slice(2)}.mjs`);
    await writeFile(mainFile, script);
    const path = process.env["PATH"] ?? "";
    return {
      name: "sample",
      command: [process.execPath, mainFile],
      environment: { PATH: path, ...environment },
    };
  };
  const supervise = (
    definition: ProcessDefinition,
    { mayPersist = false, cgroup }: { mayPersist?: boolean; cgroup?: ProcessCgroup } = {},
  ) => {
    const notes: string[] = [];
    const changes: ProcessState[] = [];
    const ended = new EventEmitter();
    const gaveUp = once(ended, "gave up").then(([reason]) => String(reason));
    const supervised = SupervisedProcess.start({
      definition,
      cgroup,
      log: new PassThrough().resume(),
      onNote: (text) => notes.push(text),
      mayPersist: () => mayPersist,
      onGiveUp: (reason, exitCode) => void ended.emit("gave up", `${reason}: ${exitCode}`),
      onChange: () => changes.push(supervised.state()),
    });
    return { supervised, notes, gaveUp, changes };
  };
  const untilWritten = async (file: string, lines: number) => {
    for (;;) {
      const text = await readFile(file, "utf8").catch(() => "");
      if (text.trim().split("\n").filter(Boolean).length >= lines) return text;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };

  test("starts a process that was killed again, and stops it for good", async () => {
    const file = join(directory, "lives");
    const definition = await define(
      `import { appendFileSync } from "node:fs";
       appendFileSync(process.env.FILE, process.pid + "\\n");
       setInterval(() => {}, 1e6);`,
      { FILE: file },
    );
    const { supervised } = supervise(definition);
    const [first = ""] = (await untilWritten(file, 1)).split("\n");
    process.kill(Number(first), "SIGKILL");
    await untilWritten(file, 2);
    await supervised.stop();
    assert.equal(supervised.pid(), undefined);
  });

  test("replaces a process on request, at once and without a word", async () => {
    const file = join(directory, "replaced");
    const definition = await define(
      `import { appendFileSync } from "node:fs";
       appendFileSync(process.env.FILE, process.pid + "\\n");
       setInterval(() => {}, 1e6);`,
      { FILE: file },
    );
    const { supervised, notes } = supervise(definition);
    for (let lives = 1; lives <= 4; lives += 1) {
      await untilWritten(file, lives);
      await supervised.replace();
      assert.equal(supervised.state().restarts, lives);
    }
    const pids = (await untilWritten(file, 5)).trim().split("\n").map(Number);
    assert.equal(new Set(pids).size, 5);
    assert.equal(pids.at(-1), supervised.pid());
    await supervised.stop();
    assert.deepEqual(notes, []);
  });

  test("replaces a process that waits for its next start", async () => {
    const flag = join(directory, "repaired");
    const definition = await define(
      `import { existsSync } from "node:fs";
       if (!existsSync(process.env.FILE)) process.exit(1);
       setInterval(() => {}, 1e6);`,
      { FILE: flag },
    );
    const { supervised, notes } = supervise(definition, { mayPersist: true });
    await until("its next start is seconds away", () => /in [^0]/.test(notes.at(-1) ?? ""));
    await writeFile(flag, "");
    await supervised.replace();
    assert.equal(supervised.state().state, "running");
    await supervised.stop();
  });

  test("stops a process for good while it is replaced", async () => {
    const { supervised } = supervise(await define("setInterval(() => {}, 1e6);"));
    const replaced = supervised.replace();
    await supervised.stop();
    await replaced;
    assert.equal(supervised.pid(), undefined);
    assert.equal(supervised.state().restarts, 0);
  });

  describe("in a control group that a plain directory plays", () => {
    /** Its file names the process that entered last, also when that has ended, until it is emptied. */
    const createGroup = async (name: string) => {
      const cgroup = await ProcessCgroup.create(directory, name);
      const file = join(directory, name, "cgroup.procs");
      return { cgroup, file, empty: () => writeFile(file, "") };
    };

    test("starts a process again only after all that the one before left has ended", async (t) => {
      const { cgroup, file, empty } = await createGroup("crashed");
      const { supervised, notes } = supervise(await define("setInterval(() => {}, 1e6);"), {
        cgroup,
      });
      const stop = () => rm(file, { force: true }).then(() => supervised.stop());
      t.after(stop);
      await untilWritten(file, 1);
      process.kill(supervised.pid() ?? 0, "SIGKILL");
      await until("its start is due", () => /in 0.2 s/.test(notes.at(-1) ?? ""));
      await delay(500);
      assert.equal(supervised.state().state, "restarting");
      await empty();
      await until("it was started again", () => supervised.state().state === "running");
      await untilWritten(file, 1);
      await delay(100);
      assert.equal(supervised.state().restarts, 1);
      await stop();
      assert.equal(notes.length, 1, notes.join("\n"));
    });

    test("replaces a process only after all that it left has ended", async (t) => {
      const { cgroup, file, empty } = await createGroup("replaced-group");
      const { supervised } = supervise(await define("setInterval(() => {}, 1e6);"), { cgroup });
      const stop = () => rm(file, { force: true }).then(() => supervised.stop());
      t.after(stop);
      await untilWritten(file, 1);
      let replacements = 0;
      // The second finds the process ending already.
      const replaced = [supervised.replace(), supervised.replace()].map((replacement) =>
        replacement.then(() => (replacements += 1)),
      );
      await delay(300);
      assert.deepEqual([replacements, supervised.state().state], [0, "restarting"]);
      await empty();
      await Promise.all(replaced);
      assert.equal(supervised.state().state, "running");
      assert.equal(supervised.state().restarts, 1);
      await untilWritten(file, 1);
      await stop();
    });

    test("reports a group that cannot be removed, and is stopped", async () => {
      const { cgroup, file } = await createGroup("kept");
      const { supervised, notes } = supervise(await define("setInterval(() => {}, 1e6);"), {
        cgroup,
      });
      await untilWritten(file, 1);
      await rm(file);
      await writeFile(join(directory, "kept", "other"), "");
      await supervised.stop();
      assert.equal(supervised.pid(), undefined);
      assert.match(notes.join("\n"), /^sample: ENOTEMPTY/);
    });
  });

  test("gives a process its own variables and no core dumps", async () => {
    const file = join(directory, "seen");
    const definition = await define(
      `import { readFileSync, writeFileSync } from "node:fs";
       const limits = readFileSync("/proc/self/limits", "utf8");
       writeFileSync(process.env.FILE, JSON.stringify({
         names: Object.keys(process.env).sort(),
         core: /core file size +(\\S+)/.exec(limits)[1] }));
       setInterval(() => {}, 1e6);`,
      { FILE: file },
    );
    const { supervised } = supervise(definition);
    const seen: unknown = JSON.parse(await untilWritten(file, 1));
    await supervised.stop();
    // Node passes this variable on by itself while the coverage of tests is measured.
    const passedOn = process.env["NODE_V8_COVERAGE"] === undefined ? [] : ["NODE_V8_COVERAGE"];
    assert.deepEqual(seen, { names: ["FILE", ...passedOn, "PATH"], core: "0" });
  });

  test("hands secrets over on a pipe, not in the environment, at each start", async () => {
    const file = join(directory, "secrets");
    const definition = await define(
      `import { appendFileSync, readFileSync } from "node:fs";
       const inherited = readFileSync("/proc/self/environ", "utf8").includes("canary");
       const secrets = readFileSync(${secretsDescriptor}, "utf8");
       appendFileSync(process.env.FILE, JSON.stringify({ inherited, secrets, pid: process.pid }) + "\\n");
       setInterval(() => {}, 1e6);`,
      { FILE: file },
    );
    const { supervised } = supervise({ ...definition, secrets: { KEY: "canary" } });
    const seenSchema = z.object({ inherited: z.boolean(), secrets: z.string(), pid: z.int() });
    const parse = (line = "") => seenSchema.parse(JSON.parse(line));
    const first = parse((await untilWritten(file, 1)).split("\n")[0]);
    process.kill(first.pid, "SIGKILL");
    const second = parse((await untilWritten(file, 2)).split("\n")[1]);
    await supervised.stop();
    for (const { inherited, secrets } of [first, second]) {
      assert.equal(inherited, false);
      assert.deepEqual(JSON.parse(secrets), { KEY: "canary" });
    }
  });

  test("reads the audit lines of each life of a process", async () => {
    const definition = await define(
      `import { writeSync } from "node:fs";
       writeSync(${auditDescriptor}, process.pid + "\\n");
       setInterval(() => {}, 1e6);`,
    );
    let text = "";
    const supervised = SupervisedProcess.start({
      definition,
      log: new PassThrough().resume(),
      readAudit: (stream) => stream.on("data", (chunk: Buffer) => (text += chunk.toString())),
      onNote: () => undefined,
      mayPersist: () => false,
      onGiveUp: assert.fail,
    });
    await until("the first line", () => text.includes("\n"));
    process.kill(Number(text), "SIGKILL");
    await until("the line of the next life", () => text.split("\n").length === 3);
    await supervised.stop();
  });

  test("passes none of the descriptors on that its own process inherited", async () => {
    const inherited = join(directory, "inherited");
    await writeFile(inherited, "");
    const seen = join(directory, "descriptors");
    const { command: program } = await define(
      `import { readdirSync, readlinkSync, writeFileSync } from "node:fs";
       const links = readdirSync("/proc/self/fd").flatMap((entry) => {
         try { return [readlinkSync("/proc/self/fd/" + entry)]; } catch { return []; }
       });
       writeFileSync(process.env.FILE, JSON.stringify(links));
       setInterval(() => {}, 1e6);`,
    );
    const supervisor = join(directory, "supervisor.mjs");
    const moduleUrl = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);
    await writeFile(
      supervisor,
      `import { closeInheritedDescriptors } from ${moduleUrl("./inherited-descriptors.ts")};
       import { SupervisedProcess } from ${moduleUrl("./supervised-process.ts")};
       import { PassThrough } from "node:stream";
       closeInheritedDescriptors();
       const supervised = SupervisedProcess.start({
         definition: { name: "sample", command: ${JSON.stringify(program)},
           environment: { PATH: process.env.PATH, FILE: ${JSON.stringify(seen)} } },
         log: new PassThrough().resume(), onNote: console.error, mayPersist: () => false, onGiveUp: console.error,
         readAudit: (stream) => stream.resume() });
       process.on("SIGTERM", () => void supervised.stop().then(() => process.exit(0)));`,
    );
    const command = [process.execPath, "--conditions=source", supervisor];
    const child = spawn(
      "bash",
      ["-c", 'exec 9<"$0" 20<"$0" 200<"$0"; exec "$@"', inherited, ...command],
      { stdio: ["ignore", "inherit", "inherit"] },
    );
    const links = z.array(z.string()).parse(JSON.parse(await untilWritten(seen, 1)));
    const ended = once(child, "exit");
    child.kill();
    await ended;
    assert.ok(links.includes("/dev/null"), "standard input is known");
    assert.ok(!links.includes(inherited), links.join(", "));
  });

  test("gives up a process that cannot start, and reports how it ended", async () => {
    const definition = await define("process.exit(7);");
    const { gaveUp, notes, supervised } = supervise(definition);
    assert.match(await gaveUp, /sample ended 3 times .*exit code 7\): 75$/);
    assert.ok(notes.some((note) => note.includes("starting it again")));
    await supervised.stop();
  });

  test("gives up at once a process that refuses its configuration", async () => {
    const { gaveUp, notes, supervised } = supervise(await define("process.exit(78);"));
    assert.match(await gaveUp, /sample cannot run as it is configured: 78$/);
    assert.deepEqual(notes, []);
    await supervised.stop();
  });

  test("reports each change of state, and sends messages to the process", async () => {
    const file = join(directory, "messages");
    const definition = await define(
      `import { appendFileSync } from "node:fs";
       process.on("message", (message) => {
         appendFileSync(process.env.FILE, JSON.stringify(message) + "\\n");
         process.exit(3);
       });`,
      { FILE: file },
    );
    const { supervised, changes } = supervise(definition, { mayPersist: true });
    assert.deepEqual(
      { ...supervised.state(), since: "" },
      { name: "sample", state: "running", since: "", restarts: 0, lastExit: null },
    );
    const message = { type: "service-state" as const, processes: [] };
    supervised.send(message);
    await until("it was started again", () => changes.length >= 2);
    await supervised.stop();
    assert.deepEqual(JSON.parse(await readFile(file, "utf8")), message);
    assert.deepEqual(
      changes.slice(0, 2).map(({ state, restarts, lastExit }) => ({ state, restarts, lastExit })),
      [
        { state: "restarting", restarts: 0, lastExit: "exit code 3" },
        { state: "running", restarts: 1, lastExit: "exit code 3" },
      ],
    );
  });

  test("never gives up a process of a service that has been ready, and reports how often it ended", async () => {
    const file = join(directory, "starts");
    const definition = await define(
      `import { appendFileSync } from "node:fs";
       appendFileSync(process.env.FILE, "started\\n");
       process.exit(7);`,
      { FILE: file },
    );
    const { gaveUp, notes, supervised } = supervise(definition, { mayPersist: true });
    void gaveUp.then(assert.fail);
    await untilWritten(file, 5);
    await until("it is reported", () => notes.some((note) => /4th time in a row/.test(note)));
    await supervised.stop();
    assert.match(notes[0] ?? "", /exit code 7; starting it again in 0.2 s/);
  });

  test("keeps nothing of a line without an end, and shows what comes after it", async () => {
    const mebibytes = 256;
    const definition = await define(
      `import { writeSync } from "node:fs";
       const part = Buffer.alloc(1024 * 1024, "x");
       for (let count = 0; count < ${mebibytes}; count += 1) writeAll(part);
       writeAll(Buffer.from("\\nlast words"));
       function writeAll(bytes) {
         for (let at = 0; at < bytes.length; ) {
           try { at += writeSync(1, bytes, at); } catch (error) { if (error.code !== "EAGAIN") throw error; }
         }
       }
       setInterval(() => {}, 1e6);
       process.kill(process.pid, "SIGKILL");`,
    );
    const before = process.memoryUsage.rss();
    const { supervised, notes } = supervise(definition, { mayPersist: true });
    await until("the line was read", () => notes.some((note) => note.includes("last words")));
    const grown = process.memoryUsage.rss() - before;
    await supervised.stop();
    assert.equal(notes[0], "sample printed a line of more than 65536 bytes: see its log");
    assert.ok(grown < (mebibytes / 2) * 1024 * 1024, `grew by ${grown} bytes`);
  });

  test("keeps nothing of what a process writes to its channel", async () => {
    const mebibytes = 256;
    const definition = await define(
      `import { writeSync } from "node:fs";
       process.on("message", () => {
         const part = Buffer.alloc(1024 * 1024, "x");
         for (let count = 0; count < ${mebibytes}; count += 1) {
           for (let at = 0; at < part.length; ) {
             try { at += writeSync(${channelDescriptor}, part, at); } catch (error) { if (error.code !== "EAGAIN") throw error; }
           }
         }
         console.log("all is written");
       });`,
    );
    const { supervised, notes } = supervise(definition, { mayPersist: true });
    const before = process.memoryUsage.rss();
    supervised.send({ type: "service-state", processes: [] });
    await until("all was written", () => notes.some((note) => note.includes("all is written")));
    const grown = process.memoryUsage.rss() - before;
    await supervised.stop();
    assert.ok(grown < (mebibytes / 2) * 1024 * 1024, `grew by ${grown} bytes`);
  });

  test("sends no more to a process that reads nothing, and still stops it", async () => {
    const definition = { ...(await define("")), command: ["sleep", "1000"] };
    const { supervised } = supervise(definition);
    const lastExit = "x".repeat(1024 * 1024);
    const state: ProcessState = { ...supervised.state(), lastExit };
    const before = process.memoryUsage.rss();
    for (let count = 0; count < 256; count += 1) {
      supervised.send({ type: "service-state", processes: [state] });
      await new Promise(setImmediate);
    }
    const grown = process.memoryUsage.rss() - before;
    await supervised.stop();
    assert.ok(grown < 128 * 1024 * 1024, `grew by ${grown} bytes`);
  });
});
