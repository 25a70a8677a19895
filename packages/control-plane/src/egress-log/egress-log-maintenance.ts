import { type SQL, sql } from "drizzle-orm";
import type { Database } from "../database/database.ts";
import { egressLog } from "../database/schema.ts";
import { recordDueEgressEvents } from "./record-egress-events.ts";

/** Entries that one statement deletes for their age, at most; the next run deletes the others. */
const deletionsMax = 10_000;

/** How long, and how many, entries of the egress log are kept. */
export interface EgressLogRetention {
  egressLogDaysMax: number;
  entriesPerSandboxMax: number;
  entriesPerOrgMax: number;
}

/** Deletes entries of the egress log across orgs. No request of a caller reaches it. */
export function createEgressLogMaintenance(database: Database, retention: EgressLogRetention) {
  /** Deletes the oldest entries of each group that has more than so many. */
  const deleteExcess = (group: SQL, entriesMax: number) => sql`
    delete from ${egressLog} as entry using (
      select full_group.key as key, kept.id as id
      from (select ${group} as key from ${egressLog} as entry group by ${group} having count(*) > ${entriesMax}) as full_group
      cross join lateral (
        select entry.id from ${egressLog} as entry where ${group} = full_group.key
        order by entry.id desc offset ${entriesMax} limit 1) as kept) as excess
    where ${group} = excess.key and entry.id <= excess.id`;

  return {
    /** Records events of what occurred often and is due by now. */
    recordDueEvents: () => recordDueEgressEvents(database),

    /** Deletes entries that are too old, and the oldest of sandboxes and orgs that have too many. */
    async deleteExpired(): Promise<void> {
      await database.execute(
        sql`delete from ${egressLog} where id in (
              select id from ${egressLog}
              where stored_at < now() - make_interval(days => ${retention.egressLogDaysMax})
              order by stored_at limit ${deletionsMax})`,
      );
      await database.execute(deleteExcess(sql`entry.sandbox_id`, retention.entriesPerSandboxMax));
      await database.execute(deleteExcess(sql`entry.org_id`, retention.entriesPerOrgMax));
    },
  };
}
export type EgressLogMaintenance = ReturnType<typeof createEgressLogMaintenance>;
