import { serviceLimits } from "@opencomputer/protocol/wire";
import type { Database } from "../database/database.ts";
import { and, count, isNull, lt, or, type SQL, sql } from "../database/query-builder.ts";
import { egressEventCounts, type NewEgressEntry } from "../database/schema.ts";
import { type NewEvent, recordEvents } from "../events/record-event.ts";
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
  rows: readonly NewEgressEntry[],
): Promise<void> {
  const occurrences = await boundHosts(transaction, occurrencesIn(rows));
  if (occurrences.length === 0) return;
  const isOnce = ({ type }: EgressOccurrence) => type === "secret.first_used";
  const once = occurrences.filter(isOnce);
  const counted = occurrences.filter((occurrence) => !isOnce(occurrence));
  if (once.length > 0) {
    const reported = await transaction
      .insert(egressEventCounts)
      .select(
        selectRows(
          once.map((one) => ({ ...one, count: 0 })),
          { reportedAt: sql`now()` },
        ),
      )
      .onConflictDoNothing()
      .returning();
    await recordEvents(
      transaction,
      reported.map((row) => eventOf({ ...row, count: 1 })),
    );
  }
  if (counted.length === 0) return;
  const { sandboxId, type, subject } = egressEventCounts;
  const raised = await transaction
    .insert(egressEventCounts)
    .select(selectRows(counted, { reportedAt: sql`null::timestamptz` }))
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
  if (due.length === 0) return;
  await recordEvents(transaction, due.map(eventOf));
  const keys = due.map(({ sandboxId, type, subject }) => ({
    sandbox_id: sandboxId,
    type,
    subject,
  }));
  await transaction.execute(
    sql`update ${egressEventCounts} as counts set count = 0, reported_at = now()
        from jsonb_to_recordset(${JSON.stringify(keys)}::jsonb)
          as due (sandbox_id text, type text, subject text)
        where counts.sandbox_id = due.sandbox_id and counts.type = due.type
          and counts.subject = due.subject`,
  );
}

function eventOf(occurrence: EgressOccurrence): NewEvent {
  const { orgId, sandboxId } = occurrence;
  return { orgId, sandboxId, ...contentOf(occurrence) };
}

/** Selects occurrences as rows of the counts, in the order of the table's columns. */
function selectRows(
  occurrences: readonly EgressOccurrence[],
  { reportedAt }: { reportedAt: SQL },
): SQL {
  const rows = occurrences.map(({ orgId, sandboxId, ...columns }) => ({
    ...{ org_id: orgId, sandbox_id: sandboxId, ...columns },
  }));
  return sql`select org_id, sandbox_id, type, subject, data, count, ${reportedAt}
    from jsonb_populate_recordset(null::${egressEventCounts}, ${JSON.stringify(rows)}::jsonb)`;
}

/** Leaves as many hosts of each sandbox and type apart as there may be; the others become one. */
async function boundHosts(
  transaction: Database,
  occurrences: readonly EgressOccurrence[],
): Promise<EgressOccurrence[]> {
  if (occurrences.length === 0) return [];
  const { sandboxId, type, subject } = egressEventCounts;
  const ofSandboxes = sql`${sandboxId} = ${anyOf(occurrences.map((one) => one.sandboxId))}`;
  const hasSubject = sql`${subject} = ${anyOf(occurrences.map((one) => one.subject))}`;
  const known = await transaction
    .select({ sandboxId, type, subject })
    .from(egressEventCounts)
    .where(and(ofSandboxes, hasSubject));
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

function anyOf(texts: readonly string[]): SQL {
  return sql`any(${sql.param([...new Set(texts)])}::text[])`;
}
