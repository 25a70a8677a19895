import type { AuditLine } from "@opencomputer/protocol/wire";

/** A connection or DNS question that was refused before there was a request. */
export interface Refusal {
  kind: AuditLine["kind"];
  sandboxId: string | null;
  sourceAddress: string;
  host: string | null;
  /** Where it is known and the host does not have it. */
  port?: number;
  reason: string;
}

/** Returns the audit line of a refusal: nothing was substituted and nothing sent. */
export function refusalLine(refusal: Refusal, time: Date): AuditLine {
  return {
    time: time.toISOString(),
    kind: refusal.kind,
    sandboxId: refusal.sandboxId,
    sourceAddress: refusal.sourceAddress,
    host: refusal.host,
    method: null,
    path: null,
    decision: "refused",
    reason: refusal.reason,
    status: null,
    substituted: [],
    withheld: [],
    redacted: [],
    leaked: [],
    requestBytes: 0,
    responseBytes: 0,
    durationMilliseconds: 0,
  };
}
