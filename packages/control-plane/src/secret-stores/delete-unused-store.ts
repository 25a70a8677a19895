import { WireError } from "@opencomputer/protocol/api";
import type { PgColumn } from "drizzle-orm/pg-core";
import type { Database } from "../database/database.ts";
import { and, eq, inArray, isNull, ne, or, type SQL } from "../database/query-builder.ts";
import {
  checkpointSecrets,
  checkpoints,
  sandboxes,
  sandboxSecrets,
  secretStores,
} from "../database/schema.ts";
import type { OrgTransactions } from "../orgs/org-repository.ts";
import type { SandboxRow } from "../sandboxes/rows/sandbox-repository.ts";
import { keptStates } from "../sandboxes/rows/sandbox-states.ts";

/**
 * Deletes the store that a sandbox was created with, when nothing but that
 * sandbox uses it. One that was deleted already is no error. Creates, forks
 * and checkpoints of the org wait meanwhile, so that none begins to use it.
 *
 * @throws {WireError} `secret_store_in_use`; the store is then kept.
 */
export async function deleteUnusedStore(
  orgTransactions: OrgTransactions,
  { orgId, id: sandboxId, secretStoreId: storeId }: SandboxRow,
): Promise<void> {
  if (storeId === null) return;
  await orgTransactions.run(orgId, async (transaction) => {
    // A project's own store is reached through the project alone.
    const [store] = await transaction
      .select({ name: secretStores.name })
      .from(secretStores)
      .where(
        and(
          eq(secretStores.orgId, orgId),
          eq(secretStores.id, storeId),
          isNull(secretStores.projectId),
        ),
      )
      .for("update");
    if (store === undefined) return;
    const user =
      (await findSandbox(transaction, { orgId, sandboxId, storeId })) ??
      (await findCheckpoint(transaction, { orgId, storeId }));
    if (user !== undefined) {
      throw new WireError(
        "secret_store_in_use",
        `Secret store ${JSON.stringify(store.name)} is also used by ${user}: nothing was deleted. Delete that first, or kill sandbox ${sandboxId} without deleteSecretStore`,
        { remediation: `oc kill ${sandboxId}` },
      );
    }
    await transaction.delete(secretStores).where(eq(secretStores.id, storeId));
  });
}

async function findSandbox(
  transaction: Database,
  used: { orgId: string; sandboxId: string; storeId: string },
): Promise<string | undefined> {
  const copies = transaction
    .select({ id: sandboxSecrets.sandboxId })
    .from(sandboxSecrets)
    .where(eq(sandboxSecrets.sourceStoreId, used.storeId));
  const [row] = await transaction
    .select({ id: sandboxes.id })
    .from(sandboxes)
    .where(
      and(
        eq(sandboxes.orgId, used.orgId),
        ne(sandboxes.id, used.sandboxId),
        inArray(sandboxes.state, keptStates),
        or(isConfiguredWith(sandboxes, used.storeId), inArray(sandboxes.id, copies)),
      ),
    )
    .limit(1);
  return row && `sandbox ${row.id}`;
}

async function findCheckpoint(
  transaction: Database,
  used: { orgId: string; storeId: string },
): Promise<string | undefined> {
  const copies = transaction
    .select({ id: checkpointSecrets.checkpointId })
    .from(checkpointSecrets)
    .where(eq(checkpointSecrets.sourceStoreId, used.storeId));
  const [row] = await transaction
    .select({ id: checkpoints.id, sandboxId: checkpoints.sandboxId })
    .from(checkpoints)
    .where(
      and(
        eq(checkpoints.orgId, used.orgId),
        ne(checkpoints.status, "failed"),
        or(isConfiguredWith(checkpoints, used.storeId), inArray(checkpoints.id, copies)),
      ),
    )
    .limit(1);
  return row && `checkpoint ${row.id} of sandbox ${row.sandboxId}`;
}

function isConfiguredWith(
  { secretStoreId, baseSecretStoreId }: { secretStoreId: PgColumn; baseSecretStoreId: PgColumn },
  storeId: string,
): SQL | undefined {
  return or(eq(secretStoreId, storeId), eq(baseSecretStoreId, storeId));
}
