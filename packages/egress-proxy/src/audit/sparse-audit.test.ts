import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type AuditLine, auditLineSchema } from "@opencomputer/protocol/wire";
import { policyOf, secretOf, tokenOf } from "../testing/http-policy.ts";
import type { Refusal } from "./audit-refusal.ts";
import { SparseAudit } from "./sparse-audit.ts";

const refusal: Refusal = {
  kind: "tls",
  sandboxId: null,
  sourceAddress: "198.18.4.6",
  host: null,
  reason: "the client named no server (SNI)",
};

const value = "7f3c9a1bd24e6080fa52c1e9";
const policy = policyOf([secretOf("KEY", "a", value)]);

describe("SparseAudit", () => {
  function scenario() {
    const lines: AuditLine[] = [];
    let milliseconds = 1_700_000_000_000;
    const audit = new SparseAudit({
      writeAudit: (line) => lines.push(line),
      findPolicy: (address) => (address === refusal.sourceAddress ? policy : undefined),
      now: () => milliseconds,
    });
    const pass = (seconds: number) => {
      milliseconds += seconds * 1000;
    };
    return { lines, audit, pass };
  }

  test("writes ten lines a minute of one source, and then states how many it left out", () => {
    const { lines, audit, pass } = scenario();
    for (let index = 0; index < 35; index += 1) audit.auditRefusal(refusal);
    assert.equal(lines.length, 10);
    pass(61);
    audit.auditRefusal(refusal);
    assert.equal(lines.length, 11);
    assert.match(lines.at(-1)?.reason ?? "", /\(25 more refusals of this source were left out/);
    for (const line of lines) auditLineSchema.parse(line);
  });

  test("one source's flood suppresses neither another source nor another kind", () => {
    const { lines, audit } = scenario();
    for (let index = 0; index < 35; index += 1) audit.auditRefusal(refusal);
    audit.auditRefusal({ ...refusal, sourceAddress: "198.18.4.10" });
    audit.auditRefusal({ ...refusal, kind: "dns" });
    assert.equal(lines.length, 12);
  });

  test("redacts a value in the name that a guest asked for, and notes that it leaked", () => {
    const { lines, audit } = scenario();
    const host = `${value}.evil.test`;
    const question: Refusal = { ...refusal, kind: "dns", host, reason: `${host} is refused` };
    audit.auditRefusal(question);
    audit.auditRefusal({ ...question, sourceAddress: "198.18.4.10" });
    assert.deepEqual(
      lines.map((line) => [line.host, line.reason, line.leaked]),
      [
        [`${tokenOf("a")}.evil.test`, `${tokenOf("a")}.evil.test is refused`, ["KEY"]],
        [host, `${host} is refused`, []],
      ],
    );
  });
});
