import { limits, type SecretEntry, WireError } from "@opencomputer/protocol";
import { and, asc, count, eq, sql } from "drizzle-orm";
import type { Database } from "../database/database.ts";
import { secretStores, storeSecrets } from "../database/schema.ts";
import { lockOrg } from "../orgs/org-repository.ts";
import { resealCopies } from "../sandboxes/sealed-copies.ts";
import type { SecretValue } from "../vault/secret-value.ts";
import type { Vault } from "../vault/vault.ts";

/** The secrets of one store, a user's or a project's. The caller has found the store by its org. */
export function createSecretRepository(database: Database, vault: Vault) {
  const ofStore = (orgId: string, storeId: string) =>
    and(eq(storeSecrets.orgId, orgId), eq(storeSecrets.storeId, storeId));

  return {
    async list(orgId: string, storeId: string): Promise<SecretEntry[]> {
      const rows = await database
        .select({
          id: storeSecrets.id,
          storeId: storeSecrets.storeId,
          name: storeSecrets.name,
          allowedHosts: storeSecrets.allowedHosts,
          createdAt: storeSecrets.createdAt,
          updatedAt: storeSecrets.updatedAt,
        })
        .from(storeSecrets)
        .where(ofStore(orgId, storeId))
        .orderBy(asc(storeSecrets.name));
      return rows.map((row) => ({
        ...row,
        createdAt: row.createdAt.toISOString(),
        updatedAt: row.updatedAt.toISOString(),
      }));
    },

    /**
     * Sets a secret, and with it the copies that sandboxes and checkpoints have of it.
     * Without `allowedHosts` the limits set earlier are kept.
     *
     * @returns the sandboxes whose copies changed: their sessions are to be handed over again.
     * @throws {WireError} `not_found`, `limit_exceeded`
     */
    async set(
      orgId: string,
      storeId: string,
      secret: { name: string; value: SecretValue; allowedHosts: string[] | undefined },
    ): Promise<string[]> {
      const { name, value } = secret;
      return database.transaction(async (transaction) => {
        await lockOrg(transaction, orgId);
        await lockStore(transaction, orgId, storeId);
        const [previous] = await transaction
          .select({ allowedHosts: storeSecrets.allowedHosts })
          .from(storeSecrets)
          .where(and(ofStore(orgId, storeId), eq(storeSecrets.name, name)));
        if (previous === undefined) await assertRoom(transaction, orgId, storeId);
        const allowedHosts = secret.allowedHosts ?? previous?.allowedHosts ?? [];
        const sealed = vault.seal(value, { kind: "store-secret", orgId, storeId, name });
        await transaction
          .insert(storeSecrets)
          .values({ orgId, storeId, name, allowedHosts, ...sealed })
          .onConflictDoUpdate({
            target: [storeSecrets.storeId, storeSecrets.name],
            set: { allowedHosts, ...sealed, updatedAt: sql`now()` },
          });
        return resealCopies(transaction, vault, { orgId, storeId, name, value, allowedHosts });
      });
    },

    /** @throws {WireError} `not_found` */
    async delete(orgId: string, storeId: string, name: string): Promise<void> {
      const rows = await database
        .delete(storeSecrets)
        .where(and(ofStore(orgId, storeId), eq(storeSecrets.name, name)))
        .returning({ id: storeSecrets.id });
      if (rows.length === 0) throw new WireError("not_found", `secret not found: ${name}`);
    },
  };

  async function assertRoom(transaction: Database, orgId: string, storeId: string) {
    const [row] = await transaction
      .select({ secrets: count() })
      .from(storeSecrets)
      .where(ofStore(orgId, storeId));
    if ((row?.secrets ?? 0) < limits.secretsPerStoreMax) return;
    throw new WireError(
      "limit_exceeded",
      `A store has at most ${limits.secretsPerStoreMax} secrets and this one is full: delete one first`,
    );
  }
}
export type SecretRepository = ReturnType<typeof createSecretRepository>;

/** Rotation and create take the same lock, so a sandbox never starts with a value already replaced. */
async function lockStore(transaction: Database, orgId: string, storeId: string): Promise<void> {
  const rows = await transaction
    .select({ id: secretStores.id })
    .from(secretStores)
    .where(and(eq(secretStores.orgId, orgId), eq(secretStores.id, storeId)))
    .for("update");
  if (rows.length === 0) throw new WireError("not_found", `secret store not found: ${storeId}`);
}
