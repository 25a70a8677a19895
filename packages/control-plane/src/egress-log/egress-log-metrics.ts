import { Counter, type Registry } from "prom-client";
import type { DeletionReason } from "./egress-log-maintenance.ts";

/** Counts lines of the egress log on their way from the proxies into the database and out of it. */
export interface EgressLogMetrics {
  /** @param ignored Those of no user's sandbox, and those that were stored before. */
  countRead(lines: { stored: number; ignored: number }): void;
  /** A line that no database takes. */
  countUnstorable(): void;
  countDeleted(reason: DeletionReason, entries: number): void;
}

const results = ["stored", "ignored", "unstorable"] as const;
const reasons: readonly DeletionReason[] = ["age", "sandbox", "org"];

export function createEgressLogMetrics(registry: Registry): EgressLogMetrics {
  const read = new Counter({
    name: "opencomputer_egress_log_read_total",
    help: "Lines of the egress log read from the proxies: stored, ignored or unstorable",
    labelNames: ["result"],
    registers: [registry],
  });
  const deleted = new Counter({
    name: "opencomputer_egress_log_deleted_total",
    help: "Entries of the egress log that were deleted for their age, or because their sandbox or org had too many",
    labelNames: ["reason"],
    registers: [registry],
  });
  // A rate is of two samples: the first event of a kind would otherwise not be one.
  for (const result of results) read.inc({ result }, 0);
  for (const reason of reasons) deleted.inc({ reason }, 0);
  return {
    countRead({ stored, ignored }) {
      read.inc({ result: "stored" }, stored);
      read.inc({ result: "ignored" }, ignored);
    },
    countUnstorable: () => read.inc({ result: "unstorable" }),
    countDeleted: (reason, entries) => deleted.inc({ reason }, entries),
  };
}
