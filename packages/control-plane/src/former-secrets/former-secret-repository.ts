import { randomUUID } from "node:crypto";
import { serviceLimits } from "@opencomputer/protocol/wire";
import type { Database } from "../database/database.ts";
import { and, desc, eq, gt, inArray, lte, sql } from "../database/query-builder.ts";
import { checkpointFormerSecrets, sandboxFormerSecrets } from "../database/schema.ts";
import type { EncryptionContext, Vault } from "../vault/vault.ts";
import { boundFormerSecrets, expiryTime, type FormerSecret } from "./former-secret.ts";

const tables = { sandbox: sandboxFormerSecrets, checkpoint: checkpointFormerSecrets };
const contextKinds = {
  sandbox: "sandbox-former-secret",
  checkpoint: "checkpoint-former-secret",
} as const;

/** Sandboxes or checkpoints of one org. */
export interface FormerSecretOwners {
  kind: "sandbox" | "checkpoint";
  orgId: string;
  ids: readonly string[];
}

export type OwnedFormerSecret = FormerSecret & { ownerId: string };
type StoredFormerSecret = OwnedFormerSecret & { id: string };

/** Stores former values of sandboxes and checkpoints, encrypted like the values in use. */
export function createFormerSecretRepository(vault: Vault) {
  const contextOf = (
    { kind, orgId }: FormerSecretOwners,
    { ownerId, name, id }: { ownerId: string; name: string; id: string },
  ): EncryptionContext => ({ kind: contextKinds[kind], orgId, ownerId, name, id });

  const ofOwners = ({ kind, orgId, ids }: FormerSecretOwners) =>
    and(eq(tables[kind].orgId, orgId), inArray(tables[kind].ownerId, [...ids]));

  async function list(
    database: Database,
    owners: FormerSecretOwners,
    now: Date,
    names?: readonly string[],
  ): Promise<StoredFormerSecret[]> {
    const table = tables[owners.kind];
    const rows = await database
      .select()
      .from(table)
      .where(
        and(
          ofOwners(owners),
          gt(table.retiredAt, expiryTime(now)),
          names === undefined ? undefined : inArray(table.name, [...names]),
        ),
      )
      .orderBy(desc(table.retiredAt));
    return rows.map(({ orgId: _orgId, encrypted, keyVersion, ...row }) => ({
      ...row,
      value: vault.decrypt({ encrypted, keyVersion }, contextOf(owners, row)),
    }));
  }

  async function insert(
    database: Database,
    owners: FormerSecretOwners,
    formers: readonly OwnedFormerSecret[],
  ): Promise<void> {
    if (formers.length === 0) return;
    await database.insert(tables[owners.kind]).values(
      formers.map(
        ({ ownerId, name, kind, token, value, allowedHosts, substituteIn, retiredAt }) => {
          const id = randomUUID();
          const encrypted = vault.encrypt(value, contextOf(owners, { ownerId, name, id }));
          return {
            ...{ id, orgId: owners.orgId, ownerId, name, kind, token, ...encrypted, retiredAt },
            allowedHosts: [...allowedHosts],
            substituteIn: [...substituteIn],
          };
        },
      ),
    );
    await dropOverTotal(database, owners);
  }

  /** A session has to fit into one request, however often secrets were rotated. */
  async function dropOverTotal(database: Database, owners: FormerSecretOwners): Promise<void> {
    const table = tables[owners.kind];
    const bytes = sql<number>`sum(length(${table.encrypted})) over (
      partition by ${table.ownerId} order by ${table.retiredAt} desc, ${table.id})`;
    const newer = database
      .select({ id: table.id, bytes: bytes.as("bytes") })
      .from(table)
      .where(ofOwners(owners))
      .as("newer");
    const over = database
      .select({ id: newer.id })
      .from(newer)
      .where(gt(newer.bytes, serviceLimits.formerValuesBytesTotalMax));
    await database.delete(table).where(inArray(table.id, over));
  }

  return {
    /** Lists those that have not expired, the newest first. */
    list,

    /** Stores the former values of new owners. */
    insert,

    /** Adds to those that the owners have; what is over their bounds is deleted. */
    async add(
      database: Database,
      owners: FormerSecretOwners,
      formers: readonly OwnedFormerSecret[],
      now: Date,
    ): Promise<void> {
      if (formers.length === 0) return;
      const names = [...new Set(formers.map(({ name }) => name))];
      const stored = await list(database, owners, now, names);
      const kept = new Set<FormerSecret>(
        owners.ids.flatMap((id) =>
          boundFormerSecrets(
            [...formers, ...stored].filter(({ ownerId }) => ownerId === id),
            now,
          ),
        ),
      );
      const dropped = stored.filter((former) => !kept.has(former)).map(({ id }) => id);
      if (dropped.length > 0) {
        const { id } = tables[owners.kind];
        await database
          .delete(tables[owners.kind])
          .where(and(ofOwners(owners), inArray(id, dropped)));
      }
      await insert(database, owners, formers);
    },

    /** Deletes the values that are no longer searched for, of every org. */
    async deleteExpired(database: Database, now: Date): Promise<void> {
      for (const table of Object.values(tables)) {
        await database.delete(table).where(lte(table.retiredAt, expiryTime(now)));
      }
    },
  };
}
export type FormerSecretRepository = ReturnType<typeof createFormerSecretRepository>;
