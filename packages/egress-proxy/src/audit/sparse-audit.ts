import type { FindPolicy, WriteAudit } from "../contract.ts";
import { redactText } from "../redaction/stream-redactor.ts";
import { type Refusal, refusalLine } from "./audit-refusal.ts";
import { createSparseEvents } from "./sparse-events.ts";

/** Audits a refusal, or counts it when its source has had many of late. */
export type AuditRefusal = (refusal: Refusal) => void;

/**
 * Audits refusals that cost a guest nothing to provoke, such as failed
 * handshakes, at most ten a minute for each kind and source address. The
 * first line of the next minute says how many were left out. A guest chooses
 * the names in them: values of its sandbox are redacted, and noted as leaked.
 */
export function createSparseAudit(deps: {
  writeAudit: WriteAudit;
  findPolicy: FindPolicy;
  now: () => number;
}): AuditRefusal {
  const admit = createSparseEvents({ now: deps.now });

  return (refusal) => {
    const leftOut = admit(`${refusal.kind} ${refusal.sourceAddress}`);
    if (leftOut === undefined) return;
    const reason =
      leftOut === 0
        ? refusal.reason
        : `${refusal.reason} (${leftOut} more refusals of this source were left out before)`;
    const leaked = new Set<string>();
    const search = deps.findPolicy(refusal.sourceAddress)?.search;
    const redacted = (text: string) => redactText(text, search, (name) => leaked.add(name));
    const host = refusal.host === null ? null : redacted(refusal.host);
    const line = refusalLine({ ...refusal, host, reason: redacted(reason) }, new Date(deps.now()));
    deps.writeAudit({ ...line, leaked: [...leaked] });
  };
}
