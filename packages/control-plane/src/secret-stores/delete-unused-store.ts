import { WireError } from "@opencomputer/protocol/api";
import { and, eq, inArray, isNull, ne, or, type SQL } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";
import type { Database } from "../database/database.ts";
import {
  checkpointSecrets,
  checkpoints,
  sandboxes,
  sandboxSecrets,
  secretStores,
} from "../database/schema.ts";
import { lockOrg } from "../orgs/org-repository.ts";
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
  database: Database,
  { orgId, id: sandboxId, secretStoreName: name }: SandboxRow,
): Promise<void> {
  if (name === null) return;
  await database.transaction(async (transaction) => {
    await lockOrg(transaction, orgId);
    // A project's own store is reached through the project alone.
    const [store] = await transaction
      .select({ id: secretStores.id })
      .from(secretStores)
      .where(
        and(
          eq(secretStores.orgId, orgId),
          eq(secretStores.name, name),
          isNull(secretStores.projectId),
        ),
      )
      .for("update");
    if (store === undefined) return;
    const user =
      (await findSandbox(transaction, { orgId, sandboxId, name, storeId: store.id })) ??
      (await findCheckpoint(transaction, { orgId, name, storeId: store.id }));
    if (user !== undefined) {
      throw new WireError(
        "secret_store_in_use",
        `Secret store ${JSON.stringify(name)} is also used by ${user}: nothing was deleted. Delete that first, or kill sandbox ${sandboxId} without deleteSecretStore`,
        { remediation: `oc kill ${sandboxId}` },
      );
    }
    await transaction.delete(secretStores).where(eq(secretStores.id, store.id));
  });
}

async function findSandbox(
  transaction: Database,
  used: { orgId: string; sandboxId: string; name: string; storeId: string },
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
        or(isNamed(sandboxes, used.name), inArray(sandboxes.id, copies)),
      ),
    )
    .limit(1);
  return row && `sandbox ${row.id}`;
}

async function findCheckpoint(
  transaction: Database,
  used: { orgId: string; name: string; storeId: string },
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
        or(isNamed(checkpoints, used.name), inArray(checkpoints.id, copies)),
      ),
    )
    .limit(1);
  return row && `checkpoint ${row.id} of sandbox ${row.sandboxId}`;
}

/** A base may also be a project, which may have the name of a store. */
function isNamed(
  table: { secretStoreName: PgColumn; baseSecretStoreName: PgColumn; projectName: PgColumn },
  name: string,
): SQL | undefined {
  const isNoProject = or(isNull(table.projectName), ne(table.projectName, name));
  return or(eq(table.secretStoreName, name), and(eq(table.baseSecretStoreName, name), isNoProject));
}
