import type { FindPolicy } from "../egress-policy/session-policy.ts";
import { redactText } from "../redaction/stream-redactor.ts";
import { type Refusal, refusalLine } from "./audit-refusal.ts";
import type { WriteAudit } from "./audit-writer.ts";
import { SparseEvents } from "./sparse-events.ts";

/** Audits a refusal, or only counts it when its source had many recently. */
export type AuditRefusal = (refusal: Refusal) => void;

/**
 * Audits refusals that cost a guest nothing to provoke, such as failed
 * handshakes: at most ten a minute for each kind and source address. The first
 * line of the next minute states how many were left out. A guest chooses the
 * names in them: values of its sandbox are redacted, and listed as leaked.
 */
export class SparseAudit {
  readonly #writeAudit: WriteAudit;
  readonly #findPolicy: FindPolicy;
  readonly #now: () => number;
  readonly #events: SparseEvents;

  constructor(deps: { writeAudit: WriteAudit; findPolicy: FindPolicy; now: () => number }) {
    this.#writeAudit = deps.writeAudit;
    this.#findPolicy = deps.findPolicy;
    this.#now = deps.now;
    this.#events = new SparseEvents(deps);
  }

  auditRefusal(refusal: Refusal): void {
    const leftOut = this.#events.admit(`${refusal.kind} ${refusal.sourceAddress}`);
    if (leftOut === undefined) return;
    const reason =
      leftOut === 0
        ? refusal.reason
        : `${refusal.reason} (${leftOut} more refusals of this source were left out before)`;
    const leaked = new Set<string>();
    const search = this.#findPolicy(refusal.sourceAddress)?.search;
    const redacted = (text: string) => redactText(text, search, (name) => leaked.add(name));
    const host = refusal.host === null ? null : redacted(refusal.host);
    const line = refusalLine({ ...refusal, host, reason: redacted(reason) }, new Date(this.#now()));
    const { port } = refusal;
    this.#writeAudit({ ...line, leaked: [...leaked] }, port === undefined ? {} : { port });
  }
}
