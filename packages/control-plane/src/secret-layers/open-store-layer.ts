import { objectNameSchema, WireError } from "@opencomputer/protocol/api";
import type { Database } from "../database/database.ts";
import { and, eq, isNull, type SQL } from "../database/query-builder.ts";
import { secretStores, storeSecrets } from "../database/schema.ts";
import type { Vault } from "../vault/vault.ts";
import { emptyLayer, type OpenLayer } from "./secret-layer.ts";

export interface StoreLayerDeps {
  vault: Vault;
  /** Placements of secrets that name none, in stores that name none. */
  operatorPlacements: readonly string[];
}

/**
 * Asserts that an org has a store of that name, without reading its secrets.
 *
 * @throws {WireError} `secret_store_not_found`
 */
export async function assertStoreExists(
  database: Database,
  orgId: string,
  name: string,
): Promise<void> {
  if (objectNameSchema.safeParse(name).success) {
    const isIt = and(eq(secretStores.orgId, orgId), isNamed(name));
    if ((await database.$count(secretStores, isIt)) > 0) return;
  }
  throw storeNotFound(name);
}

/**
 * Opens a user's store by its name, which does not change until the transaction ends.
 *
 * @throws {WireError} `secret_store_not_found`
 */
export async function openNamedStoreLayer(
  deps: StoreLayerDeps,
  transaction: Database,
  orgId: string,
  name: string,
): Promise<OpenLayer> {
  const layer = objectNameSchema.safeParse(name).success
    ? await openLayer(deps, transaction, orgId, isNamed(name))
    : undefined;
  if (layer === undefined) throw storeNotFound(name);
  return layer;
}

/** Opens a store by its id; an empty layer when it has just been deleted. */
export async function openStoreLayer(
  deps: StoreLayerDeps,
  transaction: Database,
  orgId: string,
  storeId: string,
): Promise<OpenLayer> {
  return (await openLayer(deps, transaction, orgId, eq(secretStores.id, storeId))) ?? emptyLayer;
}

async function openLayer(
  { vault, operatorPlacements }: StoreLayerDeps,
  transaction: Database,
  orgId: string,
  which: SQL | undefined,
): Promise<OpenLayer | undefined> {
  const [store] = await transaction
    .select({
      id: secretStores.id,
      egressAllowlist: secretStores.egressAllowlist,
      substituteIn: secretStores.substituteIn,
    })
    .from(secretStores)
    .where(and(eq(secretStores.orgId, orgId), which))
    .for("share");
  if (store === undefined) return undefined;
  const rows = await transaction
    .select({
      name: storeSecrets.name,
      kind: storeSecrets.kind,
      encrypted: storeSecrets.encrypted,
      keyVersion: storeSecrets.keyVersion,
      allowedHosts: storeSecrets.allowedHosts,
      substituteIn: storeSecrets.substituteIn,
    })
    .from(storeSecrets)
    .where(
      and(
        eq(storeSecrets.orgId, orgId),
        eq(storeSecrets.storeId, store.id),
        // A revoked secret has no value to give.
        isNull(storeSecrets.revokedAt),
      ),
    );
  return {
    storeId: store.id,
    egressAllowlist: store.egressAllowlist,
    secrets: rows.map((row) => {
      const { name, kind, allowedHosts } = row;
      const context = { kind: "store-secret", orgId, storeId: store.id, name } as const;
      return {
        ...{ name, kind, value: vault.decrypt(row, context), allowedHosts },
        substituteIn: row.substituteIn ?? store.substituteIn ?? [...operatorPlacements],
        ...{ sourceStoreId: store.id, token: null, revokedAt: null },
      };
    }),
  };
}

/** The stores of projects are reached through their projects alone. */
function isNamed(name: string): SQL | undefined {
  return and(eq(secretStores.name, name), isNull(secretStores.projectId));
}

function storeNotFound(name: string): WireError {
  return new WireError("secret_store_not_found", `secret store not found: ${name}`, {
    remediation: "oc secret-store list, oc secret-store create --name <name>",
  });
}
