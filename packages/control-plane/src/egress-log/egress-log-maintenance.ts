import { z } from "zod";
import type { Database } from "../database/database.ts";
import { lte, type SQL, sql } from "../database/query-builder.ts";
import { egressLog, egressLogCounts } from "../database/schema.ts";
import { deletedAndCounted } from "./egress-log-counts.ts";
import { recordDueEgressEvents } from "./record-egress-events.ts";
import { lockEgressLog } from "./store-egress-log.ts";

/** Entries that one statement deletes, at most: nothing is stored meanwhile. */
const deletionsMax = 10_000;
const deletedSchema = z.object({ rows: z.tuple([z.object({ deleted: z.coerce.number() })]) });

/** How long, and how many, entries of the egress log are kept. */
export interface EgressLogRetention {
  egressLogDaysMax: number;
  entriesPerSandboxMax: number;
  entriesPerOrgMax: number;
}

/** Why entries are deleted: their age, or that their sandbox or org has too many. */
export type DeletionReason = "age" | "sandbox" | "org";

/** Deletes entries of the egress log across orgs. No request of a caller reaches it. */
export function createEgressLogMaintenance(
  database: Database,
  retention: EgressLogRetention,
  /** Called after entries were deleted. */
  onDeleted: (reason: DeletionReason, entries: number) => void,
) {
  /** Chooses the oldest entries of each sandbox or org by as many as it has too many. */
  const beyond = (key: SQL, counts: SQL): SQL => sql`
    select entry.id from (${counts}) as excess cross join lateral (
      select id from ${egressLog} where ${key} = excess.key
      order by id limit least(excess.surplus, ${deletionsMax}::bigint)) as entry
    limit ${deletionsMax}`;
  const chosenFor: Readonly<Record<DeletionReason, SQL>> = {
    age: sql`
      select id from ${egressLog}
      where stored_at < now() - make_interval(days => ${retention.egressLogDaysMax})
      order by stored_at limit ${deletionsMax}`,
    sandbox: beyond(
      sql`sandbox_id`,
      sql`select sandbox_id as key, entries - ${retention.entriesPerSandboxMax}::bigint as surplus
          from ${egressLogCounts} where entries > ${retention.entriesPerSandboxMax}`,
    ),
    org: beyond(
      sql`org_id`,
      sql`select org_id as key, (sum(entries) - ${retention.entriesPerOrgMax})::bigint as surplus
          from ${egressLogCounts} group by org_id having sum(entries) > ${retention.entriesPerOrgMax}`,
    ),
  };

  /** Returns how many were deleted. */
  async function deleteChosen(chosen: SQL): Promise<number> {
    return database.transaction(async (transaction) => {
      await lockEgressLog(transaction);
      const result = await transaction.execute(deletedAndCounted(chosen));
      return deletedSchema.parse(result).rows[0].deleted;
    });
  }

  return {
    /** Records events of what occurred often and is due by now. */
    recordDueEvents: () => recordDueEgressEvents(database),

    /** Deletes entries that are too old, and the oldest of sandboxes and orgs that have too many. */
    async deleteExpired(): Promise<void> {
      for (const reason of ["age", "sandbox", "org"] as const) {
        let deleted: number;
        do {
          deleted = await deleteChosen(chosenFor[reason]);
          onDeleted(reason, deleted);
        } while (deleted === deletionsMax);
      }
      await database.transaction(async (transaction) => {
        await lockEgressLog(transaction);
        await transaction.delete(egressLogCounts).where(lte(egressLogCounts.entries, 0));
      });
    },
  };
}
