import { serviceLimits } from "@opencomputer/protocol/wire";
import type { Database } from "../database/database.ts";
import {
  and,
  count,
  eq,
  inArray,
  isNull,
  lt,
  or,
  type SQL,
  sql,
} from "../database/query-builder.ts";
import { type EgressLogRow, egressEventCounts } from "../database/schema.ts";
import { recordEvent } from "../events/record-event.ts";
import {
  addTo,
  contentOf,
  type EgressOccurrence,
  keyOf,
  occurrencesIn,
  withoutHost,
} from "./egress-occurrences.ts";

/**
 * Records the events that follow from entries, in the transaction that stores them. The first
 * occurrence of each kind in a sandbox is one, and then at most one an hour that has
 * how often it occurred. A guest chooses hosts: beyond a number of them the others are
 * one occurrence.
 */
export async function recordEgressEvents(
  transaction: Database,
  rows: readonly EgressLogRow[],
): Promise<void> {
  const occurrences = await boundHosts(transaction, occurrencesIn(rows));
  if (occurrences.length === 0) return;
  const isOnce = ({ type }: EgressOccurrence) => type === "secret.first_used";
  const once = occurrences.filter(isOnce);
  const counted = occurrences.filter((occurrence) => !isOnce(occurrence));
  if (once.length > 0) {
    const reported = await transaction
      .insert(egressEventCounts)
      .values(once.map((occurrence) => ({ ...valuesOf(occurrence), count: 0, reportedAt: now })))
      .onConflictDoNothing()
      .returning();
    for (const { data, ...row } of reported) await report(transaction, { ...row, data, count: 1 });
  }
  if (counted.length === 0) return;
  const { sandboxId, type, subject } = egressEventCounts;
  const raised = await transaction
    .insert(egressEventCounts)
    .values(counted.map(valuesOf))
    .onConflictDoUpdate({
      target: [sandboxId, type, subject],
      set: { count: sql`${egressEventCounts.count} + excluded.count` },
    })
    .returning({ ...returned, isDue: isDue() });
  await reportDue(
    transaction,
    raised.filter((row) => row.isDue),
  );
}

/**
 * Records what occurred since the last event of its kind and is due by now, although it did
 * not occur again.
 */
export async function recordDueEgressEvents(database: Database): Promise<void> {
  await database.transaction(async (transaction) => {
    const due = await transaction
      .select(returned)
      .from(egressEventCounts)
      .where(and(sql`${egressEventCounts.count} > 0`, isDue()))
      .limit(dueMax)
      .for("update", { skipLocked: true });
    await reportDue(transaction, due);
  });
}

/** Occurrences that one run reports, at most; the next one reports the others. */
const dueMax = 1000;
const now = sql`now()`;
const returned = {
  orgId: egressEventCounts.orgId,
  sandboxId: egressEventCounts.sandboxId,
  type: egressEventCounts.type,
  subject: egressEventCounts.subject,
  data: egressEventCounts.data,
  count: egressEventCounts.count,
};

function isDue(): SQL<boolean> {
  const seconds = serviceLimits.egressEventSecondsMin;
  const { reportedAt } = egressEventCounts;
  const condition = or(
    isNull(reportedAt),
    lt(reportedAt, sql`now() - make_interval(secs => ${seconds})`),
  );
  return sql<boolean>`(${condition})`;
}

async function reportDue(transaction: Database, due: readonly EgressOccurrence[]): Promise<void> {
  for (const occurrence of due) {
    await report(transaction, occurrence);
    await transaction
      .update(egressEventCounts)
      .set({ count: 0, reportedAt: now })
      .where(
        and(
          eq(egressEventCounts.sandboxId, occurrence.sandboxId),
          eq(egressEventCounts.type, occurrence.type),
          eq(egressEventCounts.subject, occurrence.subject),
        ),
      );
  }
}

async function report(transaction: Database, occurrence: EgressOccurrence): Promise<void> {
  const { orgId, sandboxId } = occurrence;
  await recordEvent(transaction, { orgId, sandboxId, ...contentOf(occurrence) });
}

function valuesOf({ orgId, sandboxId, type, subject, data, count }: EgressOccurrence) {
  return { orgId, sandboxId, type, subject, data, count };
}

/** Leaves as many hosts of each sandbox and type apart as there may be; the others become one. */
async function boundHosts(
  transaction: Database,
  occurrences: readonly EgressOccurrence[],
): Promise<EgressOccurrence[]> {
  if (occurrences.length === 0) return [];
  const { sandboxId, type, subject } = egressEventCounts;
  const ofSandboxes = inArray(sandboxId, [...new Set(occurrences.map((one) => one.sandboxId))]);
  const subjects = [...new Set(occurrences.map((one) => one.subject))];
  const known = await transaction
    .select({ sandboxId, type, subject })
    .from(egressEventCounts)
    .where(and(ofSandboxes, inArray(subject, subjects)));
  const knownKeys = new Set(known.map(keyOf));
  const counts = await transaction
    .select({ sandboxId, type, count: count() })
    .from(egressEventCounts)
    .where(ofSandboxes)
    .groupBy(sandboxId, type);
  const sizes = new Map(counts.map((row) => [`${row.sandboxId} ${row.type}`, row.count]));
  const bounded = new Map<string, EgressOccurrence>();
  for (const occurrence of occurrences) {
    const group = `${occurrence.sandboxId} ${occurrence.type}`;
    const size = sizes.get(group) ?? 0;
    const isKnown = knownKeys.has(keyOf(occurrence));
    const isRoom = size < serviceLimits.egressEventSubjectsPerSandboxMax;
    if (!isKnown && isRoom) sizes.set(group, size + 1);
    addTo(bounded, isKnown || isRoom ? occurrence : withoutHost(occurrence));
  }
  return [...bounded.values()];
}
