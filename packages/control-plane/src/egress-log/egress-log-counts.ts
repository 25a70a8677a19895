import type { Database } from "../database/database.ts";
import { type SQL, sql } from "../database/query-builder.ts";
import { type EgressLogRow, egressLog, egressLogCounts } from "../database/schema.ts";

/**
 * Adds entries that were stored to the counts of their sandboxes, in the same transaction.
 * The caller holds the lock of the egress log.
 */
export async function countStored(
  transaction: Database,
  rows: readonly Pick<EgressLogRow, "orgId" | "sandboxId">[],
): Promise<void> {
  const counts = new Map<string, { orgId: string; sandboxId: string; entries: number }>();
  for (const { orgId, sandboxId } of rows) {
    const counted = counts.get(sandboxId) ?? { orgId, sandboxId, entries: 0 };
    counted.entries += 1;
    counts.set(sandboxId, counted);
  }
  if (counts.size === 0) return;
  await transaction
    .insert(egressLogCounts)
    .values([...counts.values()])
    .onConflictDoUpdate({
      target: egressLogCounts.sandboxId,
      set: { entries: sql`${egressLogCounts.entries} + excluded.entries` },
    });
}

/**
 * A statement that deletes entries and takes them from the counts of their sandboxes. Its one
 * row has how many as `deleted`.
 *
 * @param chosen Selects the ids of the entries.
 */
export function deletedAndCounted(chosen: SQL): SQL {
  return sql`
    with chosen as materialized (${chosen}),
    deleted as (
      delete from ${egressLog} as entry using chosen where entry.id = chosen.id
      returning entry.sandbox_id),
    lost as (select sandbox_id, count(*) as entries from deleted group by sandbox_id),
    counted as (
      update ${egressLogCounts} as counts set entries = counts.entries - lost.entries
      from lost where counts.sandbox_id = lost.sandbox_id)
    select count(*) as deleted from deleted`;
}
