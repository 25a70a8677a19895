import {
  awsHosts,
  limits,
  type SecretEntry,
  type SecretKind,
  WireError,
} from "@opencomputer/protocol/api";
import type { Database } from "../database/database.ts";
import { and, asc, count, eq, sql } from "../database/query-builder.ts";
import { secretStores, storeSecrets } from "../database/schema.ts";
import type { FormerSecretRepository } from "../former-secrets/former-secret-repository.ts";
import type { OrgTransactions } from "../orgs/org-repository.ts";
import { changeCopies } from "../secret-copies/change-copies.ts";
import { type RevokedCopies, revokeCopies } from "../secret-copies/revoke-copies.ts";
import { SecretValue } from "../vault/secret-value.ts";
import type { Vault } from "../vault/vault.ts";

/** A secret as it is set. Undefined keeps the limits that it had. */
export interface NewSecret {
  name: string;
  kind: SecretKind;
  value: SecretValue;
  allowedHosts: string[] | undefined;
  substituteIn: string[] | undefined;
}

/** Stores the secrets of one store, a user's or a project's. The caller has found the store by its org. */
export function createSecretRepository(deps: {
  database: Database;
  orgTransactions: OrgTransactions;
  vault: Vault;
  formerSecrets: FormerSecretRepository;
  /** Placements of secrets that name none, in stores that name none. */
  operatorPlacements: readonly string[];
}) {
  const { database, orgTransactions, vault, operatorPlacements } = deps;
  const ofStore = (orgId: string, storeId: string) =>
    and(eq(storeSecrets.orgId, orgId), eq(storeSecrets.storeId, storeId));

  return {
    async list(orgId: string, storeId: string): Promise<SecretEntry[]> {
      const rows = await database
        .select({
          id: storeSecrets.id,
          storeId: storeSecrets.storeId,
          name: storeSecrets.name,
          kind: storeSecrets.kind,
          allowedHosts: storeSecrets.allowedHosts,
          substituteIn: storeSecrets.substituteIn,
          ofStore: secretStores.substituteIn,
          revokedAt: storeSecrets.revokedAt,
          lastUsedAt: storeSecrets.lastUsedAt,
          createdAt: storeSecrets.createdAt,
          updatedAt: storeSecrets.updatedAt,
        })
        .from(storeSecrets)
        .innerJoin(secretStores, eq(secretStores.id, storeSecrets.storeId))
        .where(ofStore(orgId, storeId))
        .orderBy(asc(storeSecrets.name));
      return rows.map(({ ofStore: placementsOfStore, revokedAt, lastUsedAt, ...row }) => ({
        ...row,
        ...(revokedAt === null ? {} : { revokedAt: revokedAt.toISOString() }),
        ...(lastUsedAt === null ? {} : { lastUsedAt: lastUsedAt.toISOString() }),
        substituteIn: row.substituteIn ?? placementsOfStore ?? [...operatorPlacements],
        createdAt: row.createdAt.toISOString(),
        updatedAt: row.updatedAt.toISOString(),
      }));
    },

    /**
     * Sets a secret, and with it the copies that sandboxes and checkpoints have of it.
     * Host limits and placements that it does not name stay as they are.
     *
     * @returns the sandboxes whose copies changed: their sessions must be handed over again.
     * @throws {WireError} `not_found`, `limit_exceeded`, `name_in_use`
     */
    async set(orgId: string, storeId: string, secret: NewSecret): Promise<string[]> {
      const { name, kind, value } = secret;
      return orgTransactions.run(orgId, async (transaction) => {
        const store = await lockStore(transaction, orgId, storeId);
        const [previous] = await transaction
          .select({
            kind: storeSecrets.kind,
            allowedHosts: storeSecrets.allowedHosts,
            substituteIn: storeSecrets.substituteIn,
          })
          .from(storeSecrets)
          .where(and(ofStore(orgId, storeId), eq(storeSecrets.name, name)));
        if (previous !== undefined && previous.kind !== kind) throw otherKind(name, previous.kind);
        if (previous === undefined) await assertSecretLimit(transaction, orgId, storeId);
        const allowedHosts = secret.allowedHosts ?? previous?.allowedHosts ?? defaultHosts(kind);
        const substituteIn = secret.substituteIn ?? previous?.substituteIn ?? null;
        const encrypted = vault.encrypt(value, { kind: "store-secret", orgId, storeId, name });
        await transaction
          .insert(storeSecrets)
          .values({ orgId, storeId, name, kind, allowedHosts, substituteIn, ...encrypted })
          .onConflictDoUpdate({
            target: [storeSecrets.storeId, storeSecrets.name],
            set: {
              allowedHosts,
              substituteIn,
              ...encrypted,
              revokedAt: null,
              updatedAt: sql`now()`,
            },
          });
        return changeCopies(deps, transaction, {
          ...{ orgId, storeId, name, kind, value, allowedHosts },
          substituteIn: substituteIn ?? store.substituteIn ?? [...operatorPlacements],
        });
      });
    },

    /**
     * Revokes the value of a secret: in the store, which erases it, and in
     * every copy, also when the secret or its store was deleted meanwhile.
     *
     * @throws {WireError} `not_found` when neither the secret nor a copy of it exists.
     */
    async revoke(orgId: string, storeId: string, name: string): Promise<RevokedCopies> {
      return orgTransactions.run(orgId, async (transaction) => {
        const revokedAt = new Date();
        const erased = vault.encrypt(new SecretValue(""), {
          ...{ kind: "store-secret", orgId, storeId, name },
        });
        const rows = await transaction
          .update(storeSecrets)
          .set({
            ...erased,
            revokedAt: sql`coalesce(${storeSecrets.revokedAt}, ${revokedAt.toISOString()}::timestamptz)`,
          })
          .where(and(ofStore(orgId, storeId), eq(storeSecrets.name, name)))
          .returning({ id: storeSecrets.id });
        const copies = await revokeCopies(transaction, { orgId, storeId, name }, revokedAt);
        if (rows.length === 0 && copies.sandboxes + copies.checkpoints === 0) {
          throw new WireError("not_found", `secret not found: ${name}`);
        }
        return copies;
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

  async function assertSecretLimit(transaction: Database, orgId: string, storeId: string) {
    const [row] = await transaction
      .select({ secrets: count() })
      .from(storeSecrets)
      .where(ofStore(orgId, storeId));
    if ((row?.secrets ?? 0) < limits.secretsPerStoreMax) return;
    throw new WireError(
      "limit_exceeded",
      `Secret limit reached: this store has ${limits.secretsPerStoreMax} secrets, the maximum. Delete one first`,
      { remediation: "oc secret delete <store-id> <name>" },
    );
  }
}
export type SecretRepository = ReturnType<typeof createSecretRepository>;

function defaultHosts(kind: SecretKind): string[] {
  return kind === "aws" ? [...awsHosts] : [];
}

/** Sandboxes have other variables for a secret of another kind, so none could use it. */
function otherKind(name: string, kind: SecretKind): WireError {
  return new WireError(
    "name_in_use",
    `${name} is a secret of kind ${kind}, and its kind cannot change: choose another name, or delete it first`,
  );
}

/** Rotation and create lock the same row, so a sandbox never starts with a value that was replaced. */
async function lockStore(transaction: Database, orgId: string, storeId: string) {
  const [store] = await transaction
    .select({ substituteIn: secretStores.substituteIn })
    .from(secretStores)
    .where(and(eq(secretStores.orgId, orgId), eq(secretStores.id, storeId)))
    .for("update");
  if (store !== undefined) return store;
  throw new WireError("not_found", `secret store not found: ${storeId}`, {
    remediation: "oc secret-store list",
  });
}
