import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { until } from "../testing/until.ts";
import { noteworthy, openProcessLog } from "./process-log.ts";

describe("noteworthy", () => {
  const lines: [string, string, string | null][] = [
    ["an everyday line", '{"level":30,"msg":"listening"}', null],
    ["a warning", '{"level":40,"msg":"slow"}', null],
    [
      "an error with its cause",
      '{"level":50,"msg":"failed","err":{"message":"why"}}',
      "failed: why",
    ],
    ["an error without text", '{"level":60,"err":{"message":"why"}}', "why"],
    ["text that is no log line", "Segmentation fault", "Segmentation fault"],
    ["text that begins like one", "{oops", "{oops"],
    ["a JSON line that is no log entry", '{"time":"2026-01-01T00:00:00.000Z"}', null],
    ["an empty line", "", null],
  ];
  for (const [name, line, expected] of lines) {
    test(`${name}: ${expected ?? "not shown"}`, () => assert.equal(noteworthy(line), expected));
  }
});

describe("openProcessLog", () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "process-log-"));
  });
  after(() => rm(directory, { recursive: true }));

  test("writes what it is given", async () => {
    const log = openProcessLog({ directory, name: "sample", onNote: assert.fail });
    log.write("one\n");
    await new Promise<void>((resolve) => log.end("two\n", resolve));
    assert.equal(await readFile(join(directory, "sample.log"), "utf8"), "one\ntwo\n");
  });

  test("a file that cannot be written is reported, what was dropped is counted, and it recovers", async () => {
    const notes: string[] = [];
    const path = join(directory, "blocked.log");
    await mkdir(path);
    const onNote = (text: string) => notes.push(text);
    const log = openProcessLog({ directory, name: "blocked", onNote, reopenMilliseconds: 10 });
    await new Promise<void>((resolve) => log.write("lost\n", () => resolve()));
    await until("the failure is reported", () => notes.length > 0);
    assert.match(notes[0] ?? "", /^blocked\.log cannot be written: .*Check /);
    await rm(path, { recursive: true });
    await until("the file exists again", async () => {
      log.write("kept\n");
      return (await readFile(path, "utf8").catch(() => "")).includes("kept");
    });
    assert.ok(notes.some((note) => /^blocked\.log: \d+ bytes were not written$/.test(note)));
    await new Promise<void>((resolve) => log.end(resolve));
  });
});
