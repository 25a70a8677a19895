import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { collectAuditFiles } from "./collect-audit-files.ts";

const nowMilliseconds = Date.UTC(2026, 0, 31);
const hour = 3600;
const block = 4096;
const nameOf = (letter: string) => `sb-${letter.repeat(20)}`;

describe("collectAuditFiles", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "audit-files-"));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const put = async (name: string, secondsAgo: number) => {
    await writeFile(join(directory, name), Buffer.alloc(block));
    const time = nowMilliseconds / 1000 - secondsAgo;
    await utimes(join(directory, name), time, time);
  };
  const collect = (bytesTotalMax: number) =>
    collectAuditFiles(directory, { nowMilliseconds, secondsMax: 24 * hour, bytesTotalMax });

  test("deletes audit files that have expired, and no other files", async () => {
    await put(`${nameOf("a")}.jsonl`, 25 * hour);
    await put(`${nameOf("a")}.1.jsonl`, 26 * hour);
    await put(`${nameOf("b")}.jsonl`, 23 * hour);
    await put("no-sandbox.jsonl", 25 * hour);
    await put("notes.txt", 25 * hour);
    await collect(Number.POSITIVE_INFINITY);
    assert.deepEqual((await readdir(directory)).sort(), ["notes.txt", `${nameOf("b")}.jsonl`]);
  });

  test("over the total, deletes former files first, and never the current files of active sandboxes", async () => {
    const [quiet, busy, idle] = [nameOf("a"), nameOf("b"), nameOf("c")];
    await put(`${quiet}.jsonl`, 5 * hour);
    await put(`${busy}.jsonl`, 0);
    await put(`${busy}.1.jsonl`, 60);
    await put(`${idle}.jsonl`, 8 * hour);
    await put(`${idle}.1.jsonl`, 9 * hour);
    const left = async (blocks: number) => {
      await collect(blocks * block);
      return (await readdir(directory)).sort();
    };
    const all = [`${quiet}.jsonl`, `${busy}.1.jsonl`, `${busy}.jsonl`, `${idle}.jsonl`];
    assert.deepEqual(await left(4), all);
    assert.deepEqual(await left(3), [`${quiet}.jsonl`, `${busy}.jsonl`, `${idle}.jsonl`]);
    assert.deepEqual(await left(2), [`${quiet}.jsonl`, `${busy}.jsonl`]);
    assert.deepEqual(await left(0), [`${busy}.jsonl`]);
  });
});
