import { limits, type SecretStoreRecord, WireError } from "@opencomputer/protocol/api";
import type { Database } from "../database/database.ts";
import { asUuid, isUniqueViolation } from "../database/database.ts";
import { and, asc, eq, isNull, sql } from "../database/query-builder.ts";
import { secretStores, storeSecrets } from "../database/schema.ts";
import type { FormerSecretRepository } from "../former-secrets/former-secret-repository.ts";
import type { OrgTransactions } from "../orgs/org-repository.ts";
import { changeCopies } from "../secret-copies/change-copies.ts";
import type { Vault } from "../vault/vault.ts";

/** Undefined keeps a field. `substituteIn` is null when the store names no placements. */
export interface SecretStoreChanges {
  name?: string;
  egressAllowlist?: string[];
  substituteIn?: string[] | null;
}

/** Stores the secret stores that users name. Those that projects own are not among them. */
export function createSecretStoreRepository(deps: {
  database: Database;
  orgTransactions: OrgTransactions;
  vault: Vault;
  formerSecrets: FormerSecretRepository;
  /** Placements of secrets that name none, in stores that name none. */
  operatorPlacements: readonly string[];
}) {
  const { database, orgTransactions, operatorPlacements } = deps;
  const ofOrg = (orgId: string) =>
    and(eq(secretStores.orgId, orgId), isNull(secretStores.projectId));

  return {
    /** @throws {WireError} `name_in_use`, `limit_exceeded` */
    async create(
      orgId: string,
      values: { name: string; egressAllowlist: string[]; substituteIn: string[] | null },
    ): Promise<SecretStoreRecord> {
      const [row] = await nameInUse(
        values.name,
        orgTransactions.run(orgId, async (transaction) => {
          if (
            (await transaction.$count(secretStores, ofOrg(orgId))) >= limits.secretStoresPerOrgMax
          ) {
            throw new WireError(
              "limit_exceeded",
              `Secret store limit reached: this org has ${limits.secretStoresPerOrgMax} secret stores, the maximum. Delete one first`,
              { remediation: "oc secret-store delete <id>" },
            );
          }
          return transaction
            .insert(secretStores)
            .values({ orgId, ...values })
            .returning();
        }),
      );
      return toRecord(row);
    },

    async list(orgId: string): Promise<SecretStoreRecord[]> {
      const rows = await database
        .select()
        .from(secretStores)
        .where(ofOrg(orgId))
        .orderBy(asc(secretStores.name));
      return rows.map(toRecord);
    },

    /** @throws {WireError} `not_found` */
    async get(orgId: string, storeId: string): Promise<SecretStoreRecord> {
      const id = asUuid(storeId);
      if (id === undefined) throw storeNotFound(storeId);
      const [row] = await database
        .select()
        .from(secretStores)
        .where(and(ofOrg(orgId), eq(secretStores.id, id)));
      if (row === undefined) throw storeNotFound(storeId);
      return toRecord(row);
    },

    /**
     * Changes the fields that are given, and with the placements the copies
     * of those secrets that name none themselves.
     *
     * @returns the store, and the sandboxes whose sessions must be handed over again.
     * @throws {WireError} `not_found`, `name_in_use`
     */
    async update(
      orgId: string,
      storeId: string,
      changes: SecretStoreChanges,
    ): Promise<{ store: SecretStoreRecord; sandboxIds: string[] }> {
      const id = asUuid(storeId);
      if (id === undefined) throw storeNotFound(storeId);
      return nameInUse(
        changes.name,
        orgTransactions.run(orgId, async (transaction) => {
          const [row] = await transaction
            .update(secretStores)
            .set({ ...changes, updatedAt: sql`now()` })
            .where(and(ofOrg(orgId), eq(secretStores.id, id)))
            .returning();
          if (row === undefined) throw storeNotFound(storeId);
          const sandboxIds =
            changes.substituteIn === undefined ? [] : await changePlacements(transaction, row);
          return { store: toRecord(row), sandboxIds };
        }),
      );
    },

    /**
     * Returns the id of a store whose secrets may be revoked: also of one that was
     * deleted, because sandboxes keep their copies.
     *
     * @throws {WireError} `not_found`
     */
    async idToRevokeIn(orgId: string, storeId: string): Promise<string> {
      const id = asUuid(storeId);
      if (id === undefined) throw storeNotFound(storeId);
      const [row] = await database
        .select({ orgId: secretStores.orgId, projectId: secretStores.projectId })
        .from(secretStores)
        .where(eq(secretStores.id, id));
      if (row === undefined || (row.orgId === orgId && row.projectId === null)) return id;
      throw storeNotFound(storeId);
    },

    /** @throws {WireError} `not_found` */
    async delete(orgId: string, storeId: string): Promise<void> {
      const id = asUuid(storeId);
      if (id === undefined) throw storeNotFound(storeId);
      const rows = await database
        .delete(secretStores)
        .where(and(ofOrg(orgId), eq(secretStores.id, id)))
        .returning({ id: secretStores.id });
      if (rows.length === 0) throw storeNotFound(storeId);
    },
  };

  async function changePlacements(
    transaction: Database,
    { orgId, id: storeId, substituteIn }: typeof secretStores.$inferSelect,
  ): Promise<string[]> {
    const unnamed = await transaction
      .select({ name: storeSecrets.name, kind: storeSecrets.kind })
      .from(storeSecrets)
      .where(
        and(
          eq(storeSecrets.orgId, orgId),
          eq(storeSecrets.storeId, storeId),
          isNull(storeSecrets.substituteIn),
        ),
      );
    const sandboxIds = new Set<string>();
    for (const { name, kind } of unnamed) {
      const changed = await changeCopies(deps, transaction, {
        ...{ orgId, storeId, name, kind, value: undefined, allowedHosts: undefined },
        substituteIn: substituteIn ?? [...operatorPlacements],
      });
      for (const id of changed) sandboxIds.add(id);
    }
    return [...sandboxIds];
  }
}
export type SecretStoreRepository = ReturnType<typeof createSecretStoreRepository>;

async function nameInUse<Rows>(name: string | undefined, statement: PromiseLike<Rows>) {
  try {
    return await statement;
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw new WireError("name_in_use", `A secret store named ${JSON.stringify(name)} exists`);
  }
}

function storeNotFound(storeId: string): WireError {
  return new WireError("not_found", `secret store not found: ${storeId}`, {
    remediation: "oc secret-store list",
  });
}

function toRecord(row: typeof secretStores.$inferSelect | undefined): SecretStoreRecord {
  if (row === undefined) throw new Error("An insert into secret_stores returned no row");
  return {
    id: row.id,
    orgId: row.orgId,
    name: row.name,
    egressAllowlist: row.egressAllowlist,
    ...(row.substituteIn === null ? {} : { substituteIn: row.substituteIn }),
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  };
}
