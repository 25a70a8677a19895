import { randomUUID } from "node:crypto";
import type { Database } from "../database/database.ts";
import { and, eq, inArray } from "../database/query-builder.ts";
import { sandboxes } from "../database/schema.ts";
import { checkpointCopies, type SourceSecret, sandboxCopies } from "./copy-tables.ts";

/** How many owners one statement names. */
const ownersAtOnceMax = 500;

export interface RevokedCopies {
  checkpoints: number;
  sandboxes: number;
  /** Sandboxes whose sessions have to enforce it. */
  idsWithSession: string[];
}

/**
 * Revokes every copy of one secret: of sandboxes that run, may run again or are
 * being killed, and of checkpoints. A copy keeps its token and its value, which is only
 * searched for in responses from then on. The org is locked, as it is whenever
 * a copy is made.
 *
 * What the proxy has not acknowledged yet is stored in the rows of the
 * sandboxes, so that a caller that dies after the transaction loses nothing.
 */
export async function revokeCopies(
  transaction: Database,
  source: SourceSecret,
  revokedAt: Date,
): Promise<RevokedCopies> {
  const counts = { checkpoint: 0, sandbox: 0 };
  const idsWithSession: string[] = [];
  for (const table of [checkpointCopies, sandboxCopies]) {
    const owners = await table.listOwners(transaction, source);
    counts[table.kind] = owners.length;
    for (const ids of inBatches(owners.map(({ id }) => id))) {
      await table.revoke(transaction, source, ids, revokedAt);
    }
    idsWithSession.push(...owners.filter(({ hasSession }) => hasSession).map(({ id }) => id));
  }
  for (const ids of inBatches(idsWithSession)) {
    await transaction
      .update(sandboxes)
      .set({ pendingRevocation: randomUUID() })
      .where(and(eq(sandboxes.orgId, source.orgId), inArray(sandboxes.id, ids)));
  }
  return { checkpoints: counts.checkpoint, sandboxes: counts.sandbox, idsWithSession };
}

function* inBatches(ids: readonly string[]): Generator<string[]> {
  for (let start = 0; start < ids.length; start += ownersAtOnceMax) {
    yield ids.slice(start, start + ownersAtOnceMax);
  }
}
