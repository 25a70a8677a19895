import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type AuditLine, egressLogLineSchema, serviceLimits } from "@opencomputer/protocol/wire";
import type { ExchangeDetail } from "../audit/audit-writer.ts";
import { testAuditLine } from "../testing/audit-lines.ts";
import { createSeededRandom } from "../testing/seeded-random.ts";
import { testSandboxId } from "../testing/sessions.ts";
import { logLineJson } from "./log-line.ts";

function logged(changes: Partial<AuditLine>, detail: ExchangeDetail = {}, leftOut = 0) {
  const json = logLineJson(testSandboxId, testAuditLine(changes), detail, leftOut);
  assert.ok(Buffer.byteLength(json) <= serviceLimits.egressLogLineBytesMax, json);
  return egressLogLineSchema.omit({ sequence: true }).parse(JSON.parse(json));
}

describe("logLineJson", () => {
  const ports: [Partial<AuditLine>, number | undefined, string | null, number | null][] = [
    [{ kind: "https", host: "a.example" }, 443, "a.example", 443],
    [{ kind: "https", host: "a.example:8443" }, 8443, "a.example", 8443],
    [{ kind: "http", host: "a.example" }, undefined, "a.example", 80],
    [{ kind: "tcp", host: "db.example:5432" }, undefined, "db.example", 5432],
    [{ kind: "tcp", host: "db.example:99999" }, undefined, "db.example:99999", null],
    [{ kind: "tcp", host: null }, 22, null, 22],
    [{ kind: "tls", host: "a.example" }, undefined, "a.example", 443],
    [{ kind: "tls", host: null }, undefined, null, null],
    [{ kind: "dns", host: "a.example:99" }, undefined, "a.example:99", 53],
  ];
  for (const [line, known, host, port] of ports) {
    test(`${line.kind} ${line.host}, port ${known}: ${host} at ${port}`, () => {
      const exchange = logged(line, known === undefined ? {} : { port: known });
      assert.deepEqual([exchange.host, exchange.port], [host, port]);
    });
  }

  const sendings: [Partial<AuditLine>, ExchangeDetail, boolean][] = [
    [{ decision: "allowed" }, {}, true],
    [{ decision: "allowed", status: 502 }, { wasSent: false }, false],
    [{ decision: "refused" }, {}, false],
    [{ decision: "refused" }, { wasSent: true }, true],
  ];
  for (const [line, detail, wasSent] of sendings) {
    test(`${line.decision} with ${JSON.stringify(detail)}: sent ${wasSent}`, () => {
      assert.equal(logged(line, detail).wasSent, wasSent);
    });
  }

  test("states where a secret was substituted, why one was withheld, and how often one came back", () => {
    const exchange = logged(
      {
        substituted: ["A"],
        withheld: [{ name: "B", place: "query" }],
        redacted: ["A"],
        leaked: ["C"],
      },
      {
        protocol: "websocket",
        substituted: [
          { name: "A", place: "body" },
          { name: "A", place: "header authorization" },
        ],
        withheldReasons: ["host"],
        redactedCounts: new Map([["A", 7]]),
        foreignTokens: 2,
      },
    );
    assert.equal(exchange.protocol, "websocket");
    assert.deepEqual(exchange.secrets, {
      substituted: [{ name: "A", places: ["body", "header authorization"] }],
      withheld: [{ name: "B", place: "query", reason: "host" }],
      redacted: [{ name: "A", count: 7 }],
      leaked: ["C"],
      foreignTokens: 2,
    });
  });

  test("any line is within its bound, and keeps its form", () => {
    const { below, pick } = createSeededRandom(20_261_130);
    const alphabet = ["a", "é", "\u0001", "🔑", '"', "\\", "/", ":"];
    const text = () => Array.from({ length: below(3000) }, () => pick(alphabet)).join("");
    const names = () => Array.from({ length: below(300) }, (_, index) => `S${index}`);
    for (let round = 0; round < 60; round += 1) {
      const tokens = names().map((name) => ({ name, place: `header ${text().slice(0, 200)}` }));
      logged(
        {
          ...{ host: text(), method: text(), path: text(), reason: text() },
          ...{ substituted: names(), redacted: names(), leaked: names(), withheld: tokens },
        },
        { substituted: tokens, withheldReasons: tokens.map(() => "placement" as const) },
        round,
      );
    }
  });
});
