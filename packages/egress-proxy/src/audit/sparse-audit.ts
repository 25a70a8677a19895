import { LRUCache } from "lru-cache";
import type { WriteAudit } from "../contract.ts";
import { type Refusal, refusalLine } from "./audit-refusal.ts";

/** Audits a refusal, or counts it when its source has had many of late. */
export type AuditRefusal = (refusal: Refusal) => void;

interface Window {
  startedAtMilliseconds: number;
  lines: number;
  leftOut: number;
}

const windowMilliseconds = 60_000;
const linesPerWindowMax = 10;
const sourcesMax = 4096;

/**
 * Audits refusals that cost a guest nothing to provoke, such as failed
 * handshakes, at most ten a minute for each kind and source address. The
 * first line of the next minute says how many were left out.
 */
export function createSparseAudit(deps: {
  writeAudit: WriteAudit;
  now: () => number;
}): AuditRefusal {
  const windows = new LRUCache<string, Window>({ max: sourcesMax });

  return (refusal) => {
    const now = deps.now();
    const key = `${refusal.kind} ${refusal.sourceAddress}`;
    const previous = windows.get(key);
    if (previous !== undefined && now - previous.startedAtMilliseconds < windowMilliseconds) {
      if (previous.lines >= linesPerWindowMax) {
        previous.leftOut += 1;
        return;
      }
      previous.lines += 1;
      deps.writeAudit(refusalLine(refusal, new Date(now)));
      return;
    }
    windows.set(key, { startedAtMilliseconds: now, lines: 1, leftOut: 0 });
    const leftOut = previous?.leftOut ?? 0;
    const reason =
      leftOut === 0
        ? refusal.reason
        : `${refusal.reason} (${leftOut} more refusals of this source were left out before)`;
    deps.writeAudit(refusalLine({ ...refusal, reason }, new Date(now)));
  };
}
