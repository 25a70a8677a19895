import type { AuditLine } from "@opencomputer/protocol/wire";
import { testSandboxId } from "./sessions.ts";

/** The line of a request that was allowed and touched no secret, with these changes. */
export function testAuditLine(changes: Partial<AuditLine> = {}): AuditLine {
  return {
    time: "2026-01-02T03:04:05.678Z",
    kind: "https",
    sandboxId: testSandboxId,
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
    requestBytes: 1,
    responseBytes: 2,
    durationMilliseconds: 3,
    ...changes,
  };
}
