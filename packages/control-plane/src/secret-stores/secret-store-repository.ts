import { limits, type SecretStoreRecord, WireError } from "@opencomputer/protocol";
import { and, asc, eq, isNull, sql } from "drizzle-orm";
import type { Database } from "../database/database.ts";
import { asUuid } from "../database/identifiers.ts";
import { secretStores } from "../database/schema.ts";
import { isUniqueViolation } from "../database/unique-violation.ts";
import { lockOrg } from "../orgs/org-repository.ts";

/** The stores that users name. Those that projects own are not among them. */
export function createSecretStoreRepository(database: Database) {
  const ofOrg = (orgId: string) =>
    and(eq(secretStores.orgId, orgId), isNull(secretStores.projectId));

  return {
    /** @throws {WireError} `name_in_use`, `limit_exceeded` */
    async create(
      orgId: string,
      values: { name: string; egressAllowlist: string[] },
    ): Promise<SecretStoreRecord> {
      const [row] = await nameInUse(
        values.name,
        database.transaction(async (transaction) => {
          await lockOrg(transaction, orgId);
          if (
            (await transaction.$count(secretStores, ofOrg(orgId))) >= limits.secretStoresPerOrgMax
          ) {
            throw new WireError(
              "limit_exceeded",
              `An org has at most ${limits.secretStoresPerOrgMax} secret stores and this one has as many: delete one first`,
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
     * Changes the fields that are given.
     *
     * @throws {WireError} `not_found`, `name_in_use`
     */
    async update(
      orgId: string,
      storeId: string,
      changes: { name?: string; egressAllowlist?: string[] },
    ): Promise<SecretStoreRecord> {
      const id = asUuid(storeId);
      if (id === undefined) throw storeNotFound(storeId);
      const [row] = await nameInUse(
        changes.name,
        database
          .update(secretStores)
          .set({ ...changes, updatedAt: sql`now()` })
          .where(and(ofOrg(orgId), eq(secretStores.id, id)))
          .returning(),
      );
      if (row === undefined) throw storeNotFound(storeId);
      return toRecord(row);
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
  return new WireError("not_found", `secret store not found: ${storeId}`);
}

function toRecord(row: typeof secretStores.$inferSelect | undefined): SecretStoreRecord {
  if (row === undefined) throw new Error("An insert into secret_stores returned no row");
  return {
    id: row.id,
    orgId: row.orgId,
    name: row.name,
    egressAllowlist: row.egressAllowlist,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  };
}
