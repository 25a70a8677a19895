import { randomUUID } from "node:crypto";
import { and, desc, eq, gt, inArray, lte } from "drizzle-orm";
import type { Database } from "../database/database.ts";
import { checkpointFormerSecrets, sandboxFormerSecrets } from "../database/schema.ts";
import type { SealContext, Vault } from "../vault/vault.ts";
import { boundFormerSecrets, expiryTime, type FormerSecret } from "./former-secret.ts";

const tables = { sandbox: sandboxFormerSecrets, checkpoint: checkpointFormerSecrets };
const contextKinds = {
  sandbox: "sandbox-former-secret",
  checkpoint: "checkpoint-former-secret",
} as const;

/** Whose former values they are. */
export type FormerSecretOwner = { kind: "sandbox" | "checkpoint"; orgId: string; id: string };

/** Former values of sandboxes and checkpoints, encrypted like the values in use. */
export function createFormerSecretRepository(vault: Vault) {
  const contextOf = (
    { kind, orgId, id: ownerId }: FormerSecretOwner,
    { id, name }: { id: string; name: string },
  ): SealContext => ({ kind: contextKinds[kind], orgId, ownerId, name, id });

  const ofOwner = ({ kind, orgId, id }: FormerSecretOwner) =>
    and(eq(tables[kind].orgId, orgId), eq(tables[kind].ownerId, id));

  async function list(
    database: Database,
    owner: FormerSecretOwner,
    now: Date,
    names?: readonly string[],
  ): Promise<(FormerSecret & { id: string })[]> {
    const table = tables[owner.kind];
    const rows = await database
      .select()
      .from(table)
      .where(
        and(
          ofOwner(owner),
          gt(table.retiredAt, expiryTime(now)),
          names === undefined ? undefined : inArray(table.name, [...names]),
        ),
      )
      .orderBy(desc(table.retiredAt));
    return rows.map((row) => {
      const { id, name, token, allowedHosts, substituteIn, retiredAt } = row;
      const value = vault.open(row, contextOf(owner, row));
      return { id, name, token, value, allowedHosts, substituteIn, retiredAt };
    });
  }

  async function insert(
    database: Database,
    owner: FormerSecretOwner,
    formers: readonly FormerSecret[],
  ): Promise<void> {
    if (formers.length === 0) return;
    await database.insert(tables[owner.kind]).values(
      formers.map(({ name, token, value, allowedHosts, substituteIn, retiredAt }) => {
        const id = randomUUID();
        return {
          id,
          orgId: owner.orgId,
          ownerId: owner.id,
          name,
          token,
          ...vault.seal(value, contextOf(owner, { id, name })),
          allowedHosts: [...allowedHosts],
          substituteIn: [...substituteIn],
          retiredAt,
        };
      }),
    );
  }

  return {
    /** Those that have not expired, the newest first. */
    list,

    /** Stores the former values of a new owner. */
    insert,

    /** Adds one to those that its owner has; what is over their bounds is deleted. */
    async add(database: Database, owner: FormerSecretOwner, former: FormerSecret): Promise<void> {
      const stored = await list(database, owner, former.retiredAt, [former.name]);
      const kept = new Set<FormerSecret>(boundFormerSecrets([former, ...stored], former.retiredAt));
      const dropped = stored.filter((one) => !kept.has(one)).map(({ id }) => id);
      const table = tables[owner.kind];
      if (dropped.length > 0) {
        await database.delete(table).where(and(ofOwner(owner), inArray(table.id, dropped)));
      }
      await insert(database, owner, [former]);
    },

    /** Deletes what is no longer searched for, of every org. */
    async deleteExpired(database: Database, now: Date): Promise<void> {
      for (const table of Object.values(tables)) {
        await database.delete(table).where(lte(table.retiredAt, expiryTime(now)));
      }
    },
  };
}
export type FormerSecretRepository = ReturnType<typeof createFormerSecretRepository>;
