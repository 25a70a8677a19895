import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type AuditLine, auditLineSchema } from "@opencomputer/protocol";
import { type Refusal, refusalLine } from "./audit-refusal.ts";
import { createAuditWriter } from "./audit-writer.ts";
import { createSparseAudit } from "./sparse-audit.ts";

const refusal: Refusal = {
  kind: "tls",
  sandboxId: null,
  sourceAddress: "198.18.4.6",
  host: null,
  reason: "the client named no server (SNI)",
};

describe("createAuditWriter", () => {
  test("writes one marked JSON line for each call, in order, all of them", async () => {
    const writes: string[] = [];
    const audit = createAuditWriter({ write: (text) => writes.push(text) });
    for (let index = 0; index < 1000; index += 1) {
      audit.write(refusalLine({ ...refusal, host: `h${index}.test` }, new Date()));
    }
    await nextTurn();
    await nextTurn();
    const lines = writes.join("").trimEnd().split("\n");
    assert.equal(lines.length, 1000);
    assert.ok(writes.length < 20, "the lines of one turn go out together");
    for (const [index, line] of lines.entries()) {
      const object: unknown = JSON.parse(line);
      assert.equal(auditLineSchema.parse(object).host, `h${index}.test`);
      assert.match(line, /^\{"level":30,"audit":true,/);
    }
  });

  test("flush writes at once what is held back", () => {
    const writes: string[] = [];
    const audit = createAuditWriter({ write: (text) => writes.push(text) });
    audit.write(refusalLine(refusal, new Date()));
    assert.equal(writes.length, 0);
    audit.flush();
    audit.flush();
    assert.equal(writes.length, 1);
  });
});

describe("createSparseAudit", () => {
  function scenario() {
    const lines: AuditLine[] = [];
    let milliseconds = 1_700_000_000_000;
    const auditRefusal = createSparseAudit({
      writeAudit: (line) => lines.push(line),
      now: () => milliseconds,
    });
    const pass = (seconds: number) => {
      milliseconds += seconds * 1000;
    };
    return { lines, auditRefusal, pass };
  }

  test("writes ten lines a minute of one source, and then says how many it left out", () => {
    const { lines, auditRefusal, pass } = scenario();
    for (let index = 0; index < 35; index += 1) auditRefusal(refusal);
    assert.equal(lines.length, 10);
    pass(61);
    auditRefusal(refusal);
    assert.equal(lines.length, 11);
    assert.match(lines.at(-1)?.reason ?? "", /\(25 more refusals of this source were left out/);
    for (const line of lines) auditLineSchema.parse(line);
  });

  test("one source's flood silences neither another source nor another kind", () => {
    const { lines, auditRefusal } = scenario();
    for (let index = 0; index < 35; index += 1) auditRefusal(refusal);
    auditRefusal({ ...refusal, sourceAddress: "198.18.4.10" });
    auditRefusal({ ...refusal, kind: "dns" });
    assert.equal(lines.length, 12);
  });
});
