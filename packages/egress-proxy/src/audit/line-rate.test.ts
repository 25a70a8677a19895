import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { AuditLine } from "@opencomputer/protocol/wire";
import { testAuditLine } from "../testing/audit-lines.ts";
import { otherSandboxId } from "../testing/sessions.ts";
import { createLineRate } from "./line-rate.ts";

function scenario() {
  const sums: AuditLine[] = [];
  const rate = createLineRate({ linesPerSecondMax: 3, writeSum: (line) => sums.push(line) });
  const admitted = (count: number, changes: Partial<AuditLine> = {}) =>
    Array.from({ length: count }, () => rate.admits(testAuditLine(changes))).filter(Boolean).length;
  return { sums, rate, admitted };
}

describe("createLineRate", () => {
  test("a burst of one sandbox does not affect another one", () => {
    const { admitted } = scenario();
    assert.equal(admitted(1000), 3);
    assert.equal(admitted(3, { sandboxId: otherSandboxId }), 3);
  });

  test("lines without a sandbox are counted by their address", () => {
    const { admitted } = scenario();
    assert.equal(admitted(10, { sandboxId: null, sourceAddress: "198.18.4.10" }), 3);
    assert.equal(admitted(10, { sandboxId: null, sourceAddress: "198.18.4.14" }), 3);
  });

  test("what was left out becomes one line for each kind and decision, with its secrets", () => {
    const { admitted, rate, sums } = scenario();
    admitted(3);
    admitted(2, { substituted: ["KEY"], redacted: ["KEY"], durationMilliseconds: 9 });
    admitted(1, { host: "other.example.com", withheld: [{ name: "OTHER", place: "body" }] });
    admitted(4, { decision: "refused", leaked: ["LEAKED"], path: "/secret" });
    rate.endSecond();
    assert.deepEqual(sums, [
      testAuditLine({
        host: null,
        method: null,
        path: null,
        status: null,
        reason:
          "3 further lines of this second were left out; hosts: api.example.com, other.example.com",
        substituted: ["KEY"],
        withheld: [{ name: "OTHER", place: "body" }],
        redacted: ["KEY"],
        requestBytes: 3,
        responseBytes: 6,
        durationMilliseconds: 9,
      }),
      testAuditLine({
        host: null,
        method: null,
        path: null,
        status: null,
        decision: "refused",
        reason: "4 further lines of this second were left out; hosts: api.example.com",
        leaked: ["LEAKED"],
        requestBytes: 4,
        responseBytes: 8,
      }),
    ]);
  });

  test("names some of many hosts", () => {
    const { admitted, rate, sums } = scenario();
    for (let index = 0; index < 100; index += 1) admitted(1, { host: `h${index}.test` });
    rate.endSecond();
    assert.match(sums[0]?.reason ?? "", /^97 further lines .* h3\.test, .*h10\.test and more$/);
  });

  test("the next second begins by itself", (context) => {
    context.mock.timers.enable({ apis: ["setTimeout"] });
    const { admitted, sums } = scenario();
    admitted(5);
    assert.equal(sums.length, 0);
    context.mock.timers.tick(1000);
    assert.equal(sums.length, 1);
    assert.equal(admitted(3), 3);
    context.mock.timers.tick(1000);
    assert.equal(sums.length, 1);
  });
});
