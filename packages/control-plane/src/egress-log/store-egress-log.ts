import { type EgressSecrets, toStorableText } from "@opencomputer/protocol/api";
import type { EgressLogBatch, EgressLogLine } from "@opencomputer/protocol/wire";
import { z } from "zod";
import type { Database } from "../database/database.ts";
import { and, eq, inArray, sql } from "../database/query-builder.ts";
import { egressLog, type NewEgressEntry, sandboxes } from "../database/schema.ts";
import { countStored } from "./egress-log-counts.ts";
import { noteSecretUses } from "./note-secret-uses.ts";
import { recordEgressEvents } from "./record-egress-events.ts";

/** Any number that only this product uses. */
const egressLogLock = 0x6f63_656c;

/** Takes the lock under which entries get their ids and are counted, until the transaction ends. */
export async function lockEgressLog(transaction: Database): Promise<void> {
  await transaction.execute(sql`select pg_advisory_xact_lock(${egressLogLock})`);
}

/**
 * Stores lines that an egress proxy handed over, with the events that follow from them. A line
 * that is stored already, because the acknowledgement of it was lost, is not stored again. Lines
 * of sandboxes that no user has, such as those in which images are built, are left out.
 * Returns how many were stored.
 *
 * It holds a lock until it commits: so no reader that has seen an id gets one below it later.
 */
export async function storeEgressLog(
  database: Database,
  { instanceId, lines }: EgressLogBatch,
): Promise<number> {
  return database.transaction(async (transaction) => {
    await lockEgressLog(transaction);
    const owners = await findOwners(transaction, lines);
    const values = lines.flatMap((line) => {
      const orgId = owners.get(line.sandboxId);
      return orgId === undefined ? [] : [{ orgId, instanceId, ...entryOf(line) }];
    });
    if (values.length === 0) return 0;
    const stored = await insertEntries(transaction, values);
    await countStored(transaction, stored);
    await recordEgressEvents(transaction, stored);
    await noteSecretUses(transaction, stored);
    return stored.length;
  });
}

/** Returns those that were not stored before. */
async function insertEntries(
  transaction: Database,
  entries: readonly NewEgressEntry[],
): Promise<NewEgressEntry[]> {
  const rows = entries.map(({ orgId, sandboxId, instanceId, wasSent, leftOut, ...columns }) => ({
    ...{ org_id: orgId, sandbox_id: sandboxId, instance_id: instanceId },
    ...{ was_sent: wasSent, left_out: leftOut, ...columns },
  }));
  // One parameter, as building a statement with thousands of them takes longer than running it.
  const result = await transaction.execute(
    sql`insert into ${egressLog} (org_id, sandbox_id, instance_id, sequence, time, protocol, host,
          port, decision, was_sent, status, left_out, secrets, shown)
        select org_id, sandbox_id, instance_id, sequence, time, protocol, host,
          port, decision, was_sent, status, left_out, secrets, shown
        from jsonb_populate_recordset(null::${egressLog}, ${JSON.stringify(rows)}::jsonb)
        order by sequence
        on conflict (instance_id, sequence) do nothing
        returning sequence`,
  );
  const stored = new Set(storedSchema.parse(result).rows.map(({ sequence }) => sequence));
  return entries.filter(({ sequence }) => stored.has(sequence));
}

const storedSchema = z.object({ rows: z.array(z.object({ sequence: z.coerce.number() })) });

/** The orgs of the sandboxes of users. */
async function findOwners(
  transaction: Database,
  lines: readonly EgressLogLine[],
): Promise<ReadonlyMap<string, string>> {
  const ids = [...new Set(lines.map(({ sandboxId }) => sandboxId))];
  if (ids.length === 0) return new Map();
  const rows = await transaction
    .select({ id: sandboxes.id, orgId: sandboxes.orgId })
    .from(sandboxes)
    .where(and(inArray(sandboxes.id, ids), eq(sandboxes.purpose, "user")));
  return new Map(rows.map(({ id, orgId }) => [id, orgId]));
}

function entryOf(line: EgressLogLine): Omit<NewEgressEntry, "orgId" | "instanceId"> {
  return {
    sandboxId: line.sandboxId,
    sequence: line.sequence,
    time: new Date(line.time),
    protocol: line.protocol,
    host: storable(line.host),
    port: line.port,
    decision: line.decision,
    wasSent: line.wasSent,
    status: line.status,
    leftOut: line.leftOut,
    secrets: storableSecrets(line.secrets),
    shown: {
      method: storable(line.method),
      path: storable(line.path),
      reason: storable(line.reason),
      requestBytes: line.requestBytes,
      responseBytes: line.responseBytes,
      durationMilliseconds: line.durationMilliseconds,
    },
  };
}

function storableSecrets({ substituted, withheld, ...others }: EgressSecrets): EgressSecrets {
  return {
    ...others,
    substituted: substituted.map(({ name, places }) => ({ name, places: places.map(storable) })),
    withheld: withheld.map((token) => ({ ...token, place: storable(token.place) })),
  };
}

/** A guest may have sent what no text of PostgreSQL can contain. */
function storable<Text extends string | null>(text: Text): Text | string {
  return text === null ? text : toStorableText(text);
}
