import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { after, before, describe, test } from "node:test";
import { processUsageMessageSchema, serviceStateMessageSchema } from "@opencomputer/protocol/wire";
import { until } from "../testing/until.ts";
import { ProcessSet, ServiceFailure } from "./process-set.ts";
import type { ProcessDefinition } from "./start-process.ts";

describe("ProcessSet", () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "process-set-"));
  });
  after(() => rm(directory, { recursive: true }));

  const open = () =>
    ProcessSet.open({
      installation: { id: "0123abcd", logDirectory: directory },
      stateReader: "reader",
      onNote: () => undefined,
    });
  const define = (name: string, script: string): ProcessDefinition => ({
    name,
    command: [process.execPath, "--eval", script],
    environment: { PATH: process.env["PATH"] ?? "" },
  });
  const logOf = (name: string) => readFile(join(directory, `${name}.log`), "utf8").catch(() => "");

  test("sends the states of all processes to the reader, and stops them", async () => {
    const processes = await open();
    await processes.start(define("other", "setInterval(() => {}, 1e6)"));
    await processes.start(
      define("reader", 'process.on("message", (message) => console.log(JSON.stringify(message)))'),
    );
    await until("the reader got them", async () => (await logOf("reader")).includes("\n"));
    const [line = ""] = (await logOf("reader")).split("\n");
    const { processes: states } = serviceStateMessageSchema.parse(JSON.parse(line));
    assert.deepEqual(
      states.map(({ name, state }) => [name, state]),
      [
        ["other", "running"],
        ["reader", "running"],
      ],
    );
    assert.equal(processes.isRestarting("other"), false);
    await processes.stop();
    assert.match(String(processes.ending.reason), /stopped before it was ready/);
  });

  test("sends what it and the named processes use to the reader, and not of others", async () => {
    const processes = await open();
    await processes.start(define("measured", "setInterval(() => {}, 1e6)"));
    await processes.start(define("other", "setInterval(() => {}, 1e6)"));
    const script = 'process.on("message", (message) => console.log(JSON.stringify(message)))';
    await processes.start(define("reader", script));
    processes.measure(["measured"]);
    await until("it was sent", async () => (await logOf("reader")).includes("process-usage"));
    await processes.stop();
    const lines = (await logOf("reader")).split("\n").filter((line) => line.includes("usage"));
    const { processes: usage } = processUsageMessageSchema.parse(JSON.parse(lines[0] ?? ""));
    assert.deepEqual(
      usage.map(({ name, residentMemoryBytes }) => [name, residentMemoryBytes > 1024 * 1024]),
      [
        ["supervisor", true],
        ["measured", true],
      ],
    );
  });

  test("ends with the exit code and the log of a process that cannot run, and starts no other", async () => {
    const processes = await open();
    await processes.start(define("refusing", 'console.log("why"); process.exit(78)'));
    await until("it was given up", () => processes.ending.aborted);
    const { reason } = processes.ending;
    assert.ok(reason instanceof ServiceFailure);
    assert.equal(reason.exitCode, 78);
    assert.equal(
      reason.message,
      `refusing cannot run as it is configured; see ${directory}/refusing.log`,
    );
    await assert.rejects(processes.start(define("later", "")), reason);
    await processes.stop();
    assert.equal(await logOf("refusing"), "why\n");
  });

  test("opens no second log for a process whose log is open", async () => {
    const processes = await open();
    const log = new PassThrough();
    const text = once(log, "data");
    await processes.start(define("logged", 'console.log("here"); setInterval(() => {}, 1e6)'), {
      log,
    });
    assert.equal(String(await text), "here\n");
    await processes.stop();
    assert.ok(!(await readdir(directory)).includes("logged.log"));
  });
});
