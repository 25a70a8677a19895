import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex, PassThrough } from "node:stream";
import { after, beforeEach, describe, test } from "node:test";
import { promisify } from "node:util";
import { type AuditLine, auditLineSchema, serviceLimits } from "@opencomputer/protocol/wire";
import { until } from "../testing/until.ts";
import { AuditTrail, type AuditTrailOptions } from "./audit-trail.ts";

const one = "sb-aaaaaaaaaaaaaaaaaaaa";
const other = "sb-bbbbbbbbbbbbbbbbbbbb";

const auditLine = (changes: Partial<AuditLine> = {}): AuditLine => ({
  time: "2026-01-02T03:04:05.678Z",
  kind: "https",
  sandboxId: one,
  sourceAddress: "198.18.4.6",
  host: "api.example.com",
  method: "GET",
  path: "/",
  decision: "allowed",
  reason: null,
  status: 200,
  substituted: [],
  withheld: [],
  redacted: [],
  leaked: [],
  requestBytes: 0,
  responseBytes: 0,
  durationMilliseconds: 0,
  ...changes,
});
const text = (changes: Partial<AuditLine> = {}) => JSON.stringify(auditLine(changes));

/** The end of a stream of audit lines that a proxy has, as the trail sees it. */
function createWriter() {
  const states: string[] = [];
  const stream = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      states.push(String(chunk));
      done();
    },
  });
  return { states, stream };
}

describe("AuditTrail", () => {
  const directories: string[] = [];
  let directory: string;
  beforeEach(async () => {
    const parent = await mkdtemp(join(tmpdir(), "audit-trail-"));
    directories.push(parent);
    directory = join(parent, "audit");
  });
  after(async () => {
    for (const parent of directories) await rm(parent, { recursive: true });
  });

  const open = async (options: Partial<AuditTrailOptions> = {}) => {
    const reports: string[] = [];
    const report = (message: string) => reports.push(message);
    const trail = await AuditTrail.open({ directory, report, retryMilliseconds: 10, ...options });
    return { trail, reports };
  };
  const pathsIn = async (file: string) => {
    const lines = (await readFile(join(directory, file), "utf8")).trimEnd().split("\n");
    return lines.map((line) => auditLineSchema.parse(JSON.parse(line)).path);
  };

  test("keeps the lines of each sandbox in a separate file, which only its owner can read", async () => {
    const { trail, reports } = await open();
    trail.write(text({ path: "/1" }));
    trail.write(text({ path: "/2", sandboxId: other }));
    trail.write(text({ path: "/3" }));
    trail.write(text({ path: "/4", sandboxId: null }));
    await trail.close();
    assert.deepEqual(await pathsIn(`${one}.jsonl`), ["/1", "/3"]);
    assert.deepEqual(await pathsIn(`${other}.jsonl`), ["/2"]);
    assert.deepEqual(await pathsIn("no-sandbox.jsonl"), ["/4"]);
    assert.equal((await stat(join(directory, `${one}.jsonl`))).mode & 0o777, 0o600);
    assert.equal((await stat(directory)).mode & 0o777, 0o700);
    assert.deepEqual(reports, []);
  });

  for (const sandboxId of ["../escaped", "sb-1", `${one}/x`, "", "no-sandbox.1"]) {
    test(`the sandbox id ${JSON.stringify(sandboxId)} names no file`, async () => {
      const { trail } = await open();
      trail.write(text({ sandboxId }));
      await trail.close();
      assert.deepEqual(await readdir(directory), ["no-sandbox.jsonl"]);
      assert.deepEqual(await readdir(join(directory, "..")), ["audit"]);
    });
  }

  test("a flood of one sandbox displaces its own oldest lines, and none of another's", async () => {
    const fileBytesMax = 600_000;
    const { trail, reports } = await open({ fileBytesMax });
    trail.write(text({ sandboxId: other, path: "/kept" }));
    const path = `/${"a".repeat(2047)}…(60000 bytes)`;
    for (let batch = 0; batch < 35; batch += 1) {
      for (let line = 0; line < 50; line += 1) trail.write(text({ path }));
      trail.write(text({ path: `/batch-${batch}` }));
      await until("the batch is written", async () => {
        const written = await readFile(join(directory, `${one}.jsonl`), "utf8").catch(() => "");
        return written.includes(`/batch-${batch}"`);
      });
    }
    await trail.close();
    assert.deepEqual(await pathsIn(`${other}.jsonl`), ["/kept"]);
    assert.equal((await pathsIn(`${one}.jsonl`)).at(-1), "/batch-34");
    for (const file of [`${one}.jsonl`, `${one}.1.jsonl`]) {
      assert.ok((await stat(join(directory, file))).size <= fileBytesMax);
    }
    assert.deepEqual(reports, []);
  });

  test("reads a stream of lines; what is no audit line is reported and not written", async () => {
    const { trail, reports } = await open({ reportMilliseconds: 60_000 });
    const stream = new PassThrough();
    trail.read(stream);
    stream.write(`${text({ path: "/1" })}\nnonsense\n{}\n`);
    stream.write(`${"x".repeat(serviceLimits.auditLineBytesMax + 1)}\n${text({ path: "/2" })}\n`);
    stream.end(text({ path: "/cut off" }).slice(0, -10));
    await until("the stream ended", () => stream.readableEnded);
    await trail.close();
    assert.deepEqual(await pathsIn(`${one}.jsonl`), ["/1", "/2"]);
    assert.match(reports.join("\n"), /lost \(unreadable: 1\).*lost \(unreadable: 3\)/s);
  });

  test("a disk that cannot be written is reported; lines wait for it, up to a bound", async () => {
    await mkdir(join(directory, `${one}.jsonl`), { recursive: true });
    const { trail, reports } = await open({ reportMilliseconds: 20 });
    trail.write(text({ path: "/waits" }));
    await until("the failure is reported", () => reports.length > 0);
    assert.match(
      reports[0] ?? "",
      /^Audit lines cannot be written to .*EISDIR.*new requests .* are refused/,
    );
    const path = "a".repeat(2000);
    for (let index = 0; index < 3000; index += 1) trail.write(text({ path }));
    await until("the loss is reported", () =>
      reports.some((message) => message.includes("lost (") && message.includes(one)),
    );
    trail.write(text({ sandboxId: other, path: "/another's" }));
    await rm(join(directory, `${one}.jsonl`), { recursive: true });
    await trail.close();
    assert.equal((await pathsIn(`${one}.jsonl`))[0], "/waits");
    assert.deepEqual(await pathsIn(`${other}.jsonl`), ["/another's"]);
  });

  test("reports the first write that fails, and the recovery, to the stream's other end", async () => {
    await mkdir(join(directory, `${one}.jsonl`), { recursive: true });
    const { trail } = await open();
    const early = createWriter();
    trail.read(early.stream);
    trail.write(text());
    trail.write(text({ sandboxId: other }));
    await until("the failure is reported", () => early.states.length > 0);
    const late = createWriter();
    trail.read(late.stream);
    assert.deepEqual(late.states, ['{"isWritable":false}\n']);
    await rm(join(directory, `${one}.jsonl`), { recursive: true });
    await until("the recovery is reported", () => early.states.length > 1);
    assert.deepEqual(early.states, ['{"isWritable":false}\n', '{"isWritable":true}\n']);
    assert.deepEqual(late.states, early.states);
    await trail.close();
  });

  test("reports a write that does not return, and its end, to the stream's other end", async () => {
    await mkdir(directory);
    const path = join(directory, `${one}.jsonl`);
    await promisify(execFile)("mkfifo", [path]);
    const { trail, reports } = await open({ stallMilliseconds: 50 });
    const writer = createWriter();
    trail.read(writer.stream);
    // More than fits into a pipe that is not read.
    for (let index = 0; index < 60; index += 1) trail.write(text({ path: "a".repeat(2000) }));
    await until("the stall is reported", () => writer.states.length > 0);
    assert.match(reports.join("\n"), /A write has taken 0\.05 s so far/);
    const reader = createReadStream(path).resume();
    await until("its end is reported", () => writer.states.length > 1);
    assert.deepEqual(writer.states, ['{"isWritable":false}\n', '{"isWritable":true}\n']);
    reader.destroy();
    await trail.close();
  });

  test("lines of refused requests may take less memory than those of allowed ones", async () => {
    await mkdir(join(directory, `${one}.jsonl`), { recursive: true });
    const { trail, reports } = await open({ reportMilliseconds: 60_000 });
    const path = "a".repeat(2000);
    const lines = Math.ceil(serviceLimits.auditPendingRefusalsBytesMax / 2000);
    for (let index = 0; index < lines; index += 1) trail.write(text({ path, decision: "refused" }));
    trail.write(text({ path: "/allowed" }));
    await until("the failure is reported", () => reports.length > 0);
    await rm(join(directory, `${one}.jsonl`), { recursive: true });
    await until("the lines are written", async () =>
      (await readdir(directory)).includes(`${one}.jsonl`),
    );
    await trail.close();
    const written = await pathsIn(`${one}.jsonl`);
    assert.equal(written.at(-1), "/allowed");
    assert.ok(written.length < lines + 1);
  });

  test("what cannot be written at the end is reported as lost", async () => {
    await mkdir(join(directory, `${one}.jsonl`), { recursive: true });
    const { trail, reports } = await open();
    for (let index = 0; index < 3; index += 1) trail.write(text());
    await trail.close();
    assert.match(reports.join("\n"), new RegExp(`lost \\(${one}: 3\\)`));
  });

  test("continues where the trail of an earlier start ended, also inside a line", async () => {
    await mkdir(directory);
    await writeFile(join(directory, `${one}.jsonl`), '{"time":"2026');
    const { trail } = await open();
    trail.write(text({ path: "/1" }));
    await trail.close();
    const [part, line = ""] = (await readFile(join(directory, `${one}.jsonl`), "utf8")).split("\n");
    assert.equal(part, '{"time":"2026');
    assert.equal(auditLineSchema.parse(JSON.parse(line)).path, "/1");
  });
});
