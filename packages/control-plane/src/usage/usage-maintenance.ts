import { limits } from "@opencomputer/protocol/api";
import { serviceLimits } from "@opencomputer/protocol/wire";
import type { Database } from "../database/database.ts";
import { sql } from "../database/query-builder.ts";
import { machineUsage, sandboxes, usageBuckets, usageSandboxes } from "../database/schema.ts";
import { addedToBucket } from "./added-to-bucket.ts";
import { firstKeptHour } from "./usage-period.ts";

/** Joins hours of usage to days, and deletes what is old, across orgs. No request of a caller reaches it. */
export function createUsageMaintenance(
  database: Database,
  { rowsPerOrgMax }: { rowsPerOrgMax: number },
) {
  return {
    /** Joins the hours that are older than hours are kept to days. */
    async joinHours(now: Date): Promise<void> {
      await database.execute(sql`
        with hours as (
          delete from ${usageBuckets}
          where span = 'hour' and starts_at < ${firstKeptHour(now).toISOString()}::timestamptz
          returning *)
        insert into ${usageBuckets} as bucket (
          org_id, sandbox_id, span, starts_at, running_milliseconds, cpu_milliseconds, memory_mb_seconds,
          memory_peak_bytes, disk_peak_bytes, network_received_bytes, network_sent_bytes)
        select org_id, sandbox_id, 'day', date_trunc('day', starts_at, 'UTC'), sum(running_milliseconds),
          sum(cpu_milliseconds), sum(memory_mb_seconds), max(memory_peak_bytes), max(disk_peak_bytes),
          sum(network_received_bytes), sum(network_sent_bytes)
        from hours group by org_id, sandbox_id, date_trunc('day', starts_at, 'UTC')
        on conflict (sandbox_id, span, starts_at) do update set ${addedToBucket}`);
    },

    /** Deletes usage that is too old, the oldest of orgs that have too much, and what only it needs. */
    async deleteExpired(now: Date): Promise<void> {
      const time = now.toISOString();
      await database.execute(sql`
        delete from ${usageBuckets}
        where span = 'day'
          and starts_at < ${time}::timestamptz - make_interval(days => ${limits.usageDaysMax})`);
      await database.execute(sql`
        delete from ${usageBuckets} as bucket using (
          select full_org.org_id, kept.starts_at
          from (select org_id from ${usageBuckets} group by org_id having count(*) > ${rowsPerOrgMax}) as full_org
          cross join lateral (
            select starts_at from ${usageBuckets} as own where own.org_id = full_org.org_id
            order by starts_at desc offset ${rowsPerOrgMax} limit 1) as kept) as excess
        where bucket.org_id = excess.org_id and bucket.starts_at <= excess.starts_at`);
      await database.execute(sql`
        delete from ${usageSandboxes} as sandbox where not exists (
          select from ${usageBuckets} as bucket where bucket.sandbox_id = sandbox.sandbox_id)`);
      // Without its counters, all that a running machine ever used would be added again.
      await database.execute(sql`
        delete from ${machineUsage} as machine
        where read_at < ${time}::timestamptz - make_interval(secs => ${serviceLimits.machineCountersSecondsMax})
          and not exists (select from ${sandboxes} as sandbox where sandbox.machine_id = machine.machine_id)`);
    },
  };
}
