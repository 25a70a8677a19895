import type { MachineUsage } from "@opencomputer/protocol/wire";
import type { PgTable } from "drizzle-orm/pg-core";
import type { Database } from "../database/database.ts";
import { and, eq, getTableColumns, type SQL, sql } from "../database/query-builder.ts";
import { machineUsage, sandboxes, usageBuckets, usageSandboxes } from "../database/schema.ts";
import { addedToBucket } from "./added-to-bucket.ts";
import { cpuPercentSince, usageSince } from "./usage-since.ts";

/** Any number that only this product uses, for the lock under which readings are compared with those before. */
const storeLock = 0x6f63_7573;

type MachineRow = typeof machineUsage.$inferSelect;
type BucketRow = typeof usageBuckets.$inferSelect;
interface Owner {
  orgId: string;
  tags: Record<string, string>;
}

/**
 * Adds what machines used since their last reading to the hours of their sandboxes. A reading
 * that is stored already adds nothing, so one may be stored again; those of sandboxes that no
 * user has, such as builders of images, are left out.
 */
export async function storeUsage(
  database: Database,
  readings: readonly MachineUsage[],
): Promise<void> {
  if (readings.length === 0) return;
  await database.transaction(async (transaction) => {
    await transaction.execute(sql`select pg_advisory_xact_lock(${storeLock})`);
    const known = await findKnown(transaction, readings);
    const news = readings.filter(({ machineId, readAt }) => {
      const before = known.get(machineId);
      return before === undefined || before.readAt < new Date(readAt);
    });
    const owners = await findOwners(transaction, news);
    const machines: MachineRow[] = [];
    const buckets = new Map<string, BucketRow>();
    for (const { startedAt, ...given } of news) {
      const owner = owners.get(given.sandboxId);
      if (owner === undefined) continue;
      const { orgId } = owner;
      const reading = { ...given, readAt: new Date(given.readAt) };
      const before = known.get(given.machineId);
      const cpuPercent = cpuPercentSince(before, { ...reading, startedAt });
      machines.push({
        ...{ ...reading, orgId, startedAt: new Date(startedAt) },
        cpuPercent: cpuPercent ?? before?.cpuPercent ?? 0,
      });
      for (const used of usageSince(before, { ...reading, startedAt })) {
        addTo(buckets, { ...used, orgId, sandboxId: given.sandboxId, span: "hour" });
      }
    }
    await saveMachines(transaction, machines);
    await addBuckets(transaction, [...buckets.values()]);
    await saveTags(transaction, owners);
  });
}

async function findKnown(
  transaction: Database,
  readings: readonly MachineUsage[],
): Promise<ReadonlyMap<string, MachineRow>> {
  const ids = readings.map(({ machineId }) => machineId);
  const rows = await transaction
    .select()
    .from(machineUsage)
    .where(sql`${machineUsage.machineId} = any(${sql.param(ids)}::uuid[])`);
  return new Map(rows.map((row) => [row.machineId, row]));
}

/** The orgs and tags of the sandboxes of users. */
async function findOwners(
  transaction: Database,
  readings: readonly MachineUsage[],
): Promise<ReadonlyMap<string, Owner>> {
  const ids = [...new Set(readings.map(({ sandboxId }) => sandboxId))];
  const rows = await transaction
    .select({ id: sandboxes.id, orgId: sandboxes.orgId, tags: sandboxes.tags })
    .from(sandboxes)
    .where(and(sql`${sandboxes.id} = any(${sql.param(ids)})`, eq(sandboxes.purpose, "user")));
  return new Map(rows.map(({ id, ...owner }) => [id, owner]));
}

/** Two machines of a sandbox may have run in the same hour. */
function addTo(buckets: Map<string, BucketRow>, used: BucketRow): void {
  const key = `${used.sandboxId} ${used.startsAt.getTime()}`;
  const other = buckets.get(key);
  buckets.set(key, other === undefined ? used : sumOf(other, used));
}

function sumOf(one: BucketRow, other: BucketRow): BucketRow {
  return {
    ...one,
    runningMilliseconds: one.runningMilliseconds + other.runningMilliseconds,
    cpuMilliseconds: one.cpuMilliseconds + other.cpuMilliseconds,
    memoryMBSeconds: one.memoryMBSeconds + other.memoryMBSeconds,
    memoryPeakBytes: Math.max(one.memoryPeakBytes, other.memoryPeakBytes),
    diskPeakBytes: Math.max(one.diskPeakBytes, other.diskPeakBytes),
    networkReceivedBytes: one.networkReceivedBytes + other.networkReceivedBytes,
    networkSentBytes: one.networkSentBytes + other.networkSentBytes,
  };
}

async function saveMachines(transaction: Database, rows: readonly MachineRow[]): Promise<void> {
  await transaction.execute(sql`
    insert into ${machineUsage} ${rowsFrom(machineUsage, rows)}
    on conflict (machine_id) do update set
      read_at = excluded.read_at, has_ended = excluded.has_ended, cpu_percent = excluded.cpu_percent,
      cpu_milliseconds = excluded.cpu_milliseconds, memory_bytes = excluded.memory_bytes,
      disk_bytes = excluded.disk_bytes, network_received_bytes = excluded.network_received_bytes,
      network_sent_bytes = excluded.network_sent_bytes`);
}

async function addBuckets(transaction: Database, rows: readonly BucketRow[]): Promise<void> {
  await transaction.execute(sql`
    insert into ${usageBuckets} as bucket ${rowsFrom(usageBuckets, rows)}
    on conflict (sandbox_id, span, starts_at) do update set ${addedToBucket}`);
}

async function saveTags(transaction: Database, owners: ReadonlyMap<string, Owner>): Promise<void> {
  const rows = [...owners].map(([sandboxId, { orgId, tags }]) => ({ sandboxId, orgId, tags }));
  await transaction.execute(sql`
    insert into ${usageSandboxes} as sandbox ${rowsFrom(usageSandboxes, rows)}
    on conflict (sandbox_id) do update set tags = excluded.tags
    where sandbox.tags <> excluded.tags`);
}

/**
 * Rows of a table as a query of one parameter: thousands of them take a driver and PostgreSQL
 * much longer as parameters of their own.
 */
function rowsFrom<Table extends PgTable>(
  table: Table,
  rows: readonly Table["$inferSelect"][],
): SQL {
  const columns = Object.entries(getTableColumns(table));
  const records = rows.map((row: Record<string, unknown>) =>
    Object.fromEntries(columns.map(([key, { name }]) => [name, row[key]])),
  );
  return sql`select * from json_populate_recordset(null::${table}, ${JSON.stringify(records)}::json)`;
}
