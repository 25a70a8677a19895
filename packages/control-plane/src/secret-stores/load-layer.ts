import { objectNameSchema, WireError } from "@opencomputer/protocol";
import { and, eq, isNull, type SQL } from "drizzle-orm";
import type { Database } from "../database/database.ts";
import { secretStores, storeSecrets } from "../database/schema.ts";
import type { SecretLayer } from "./layer-secrets.ts";

/** A secret of a store, still sealed for that store. */
export interface StoredSecret {
  storeId: string;
  name: string;
  sealed: string;
  keyVersion: string;
  allowedHosts: string[];
  /** The secret's own placements, else its store's; null when neither names any. */
  substituteIn: string[] | null;
}

/**
 * A user's store by its name, held still until the transaction ends.
 *
 * @throws {WireError} `secret_store_not_found`
 */
export async function loadNamedLayer(
  transaction: Database,
  orgId: string,
  name: string,
): Promise<SecretLayer<StoredSecret>> {
  const layer = objectNameSchema.safeParse(name).success
    ? await load(
        transaction,
        orgId,
        and(eq(secretStores.name, name), isNull(secretStores.projectId)),
      )
    : undefined;
  if (layer !== undefined) return layer;
  throw new WireError("secret_store_not_found", `secret store not found: ${name}`);
}

/** A store by its id; an empty layer when it has just been deleted. */
export async function loadLayer(
  transaction: Database,
  orgId: string,
  storeId: string,
): Promise<SecretLayer<StoredSecret>> {
  const layer = await load(transaction, orgId, eq(secretStores.id, storeId));
  return layer ?? { egressAllowlist: [], secrets: [] };
}

async function load(
  transaction: Database,
  orgId: string,
  which: SQL | undefined,
): Promise<SecretLayer<StoredSecret> | undefined> {
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
  const secrets = await transaction
    .select({
      storeId: storeSecrets.storeId,
      name: storeSecrets.name,
      sealed: storeSecrets.sealed,
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
    egressAllowlist: store.egressAllowlist,
    secrets: secrets.map((secret) => ({
      ...secret,
      substituteIn: secret.substituteIn ?? store.substituteIn,
    })),
  };
}
