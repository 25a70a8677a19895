import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type AuditLine, auditLineSchema, serviceLimits } from "@opencomputer/protocol/wire";
import { testAuditLine } from "../testing/audit-lines.ts";
import { createTestLog, otherSandboxId, testSandboxId } from "../testing/sessions.ts";
import { createAuditWriter } from "./audit-writer.ts";

function scenario({ fails = false } = {}) {
  const writes: string[] = [];
  const logLines: string[] = [];
  const kept: { line: AuditLine; leftOut: number }[] = [];
  let milliseconds = 1_700_000_000_000;
  const audit = createAuditWriter({
    send(text) {
      if (fails) throw new Error("EPIPE");
      writes.push(text);
    },
    log: createTestLog(logLines),
    now: () => milliseconds,
    keepLine: (line, _detail, leftOut) => kept.push({ line, leftOut }),
  });
  const lines = () =>
    writes
      .join("")
      .split("\n")
      .filter(Boolean)
      .map((line) => auditLineSchema.parse(JSON.parse(line)));
  const pass = (seconds: number) => {
    milliseconds += seconds * 1000;
  };
  return { audit, writes, logLines, kept, lines, pass };
}

describe("createAuditWriter", () => {
  test("writes one JSON line for each call, in order, those of one event-loop turn together", async () => {
    const { audit, writes, lines } = scenario();
    for (let index = 0; index < 50; index += 1) audit.write(testAuditLine({ path: `/${index}` }));
    await nextTurn();
    await nextTurn();
    assert.deepEqual(
      lines().map(({ path }) => path),
      Array.from({ length: 50 }, (_, index) => `/${index}`),
    );
    assert.equal(writes.length, 1);
  });

  test("flush writes at once what is buffered, sums too", () => {
    const { audit, lines } = scenario();
    for (let index = 0; index < 150; index += 1) audit.write(testAuditLine());
    assert.equal(lines().length, 0);
    audit.flush();
    audit.flush();
    assert.equal(lines().length, 101);
    assert.match(lines().at(-1)?.reason ?? "", /^50 further lines/);
  });

  test("the egress log gets each line, and of a sum how many lines it stands for", () => {
    const { audit, kept } = scenario({ fails: true });
    for (let index = 0; index < 150; index += 1) audit.write(testAuditLine());
    audit.flush();
    assert.equal(kept.length, 101);
    assert.deepEqual([kept[0]?.leftOut, kept[99]?.leftOut, kept[100]?.leftOut], [0, 0, 50]);
  });

  test("1,740 requests with paths of 60 KB do not affect another sandbox's lines", () => {
    const { audit, writes, lines } = scenario();
    const path = `/${"a".repeat(60_000)}`;
    for (let index = 0; index < 1740; index += 1) {
      audit.write(testAuditLine({ sandboxId: otherSandboxId, path }));
      if (index % 100 === 0) audit.write(testAuditLine({ path: `/${index}` }));
    }
    audit.flush();
    assert.equal(lines().filter(({ sandboxId }) => sandboxId === testSandboxId).length, 18);
    assert.ok(Buffer.byteLength(writes.join("")) < 101 * 3 * 1024 + 18 * 1024);
  });

  test("a leaked value is an error in the process log, bounded for each secret", () => {
    const { audit, logLines, pass } = scenario();
    for (let index = 0; index < 100; index += 1) {
      audit.write(testAuditLine({ leaked: ["KEY"] }));
    }
    audit.write(testAuditLine({ leaked: ["OTHER"] }));
    assert.equal(logLines.length, 11);
    pass(61);
    audit.write(testAuditLine({ leaked: ["KEY"] }));
    for (const line of logLines) {
      assert.match(
        line,
        /"level":50.*"msg":"Secret (KEY|OTHER) leaked: sandbox sb-a+ sent its value in plaintext to api\.example\.com\./,
      );
    }
    assert.match(logLines.at(-1) ?? "", /"leftOut":90/);
  });

  test("lines that the reader does not accept are counted in the process log, and nothing throws", () => {
    const { audit, logLines } = scenario({ fails: true });
    for (let index = 0; index < 100; index += 1) {
      audit.write(testAuditLine());
      audit.flush();
    }
    assert.equal(logLines.length, 10);
    assert.match(logLines.at(-1) ?? "", /"level":50.*10 were lost/);
    assert.ok(!logLines.join("").includes("EPIPE"), "no message of an error is repeated");
  });

  test("the longest line is within what its reader accepts", () => {
    const { audit, writes } = scenario();
    audit.write(testAuditLine({ path: "\u0001".repeat(60_000) }));
    audit.flush();
    assert.ok(Buffer.byteLength(writes.join("")) <= serviceLimits.auditLineBytesMax + 1);
  });
});
