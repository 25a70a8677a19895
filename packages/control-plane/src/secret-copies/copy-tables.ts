import type { SecretKind } from "@opencomputer/protocol/api";
import type { Database } from "../database/database.ts";
import { and, eq, inArray, isNull, sql } from "../database/query-builder.ts";
import { checkpointSecrets, checkpoints, sandboxes, sandboxSecrets } from "../database/schema.ts";
import { keptStates, sessionStates } from "../sandboxes/rows/sandbox-states.ts";
import type { EncryptedValue, EncryptionContext } from "../vault/vault.ts";

/** The secret of a store that copies were made of. */
export interface SourceSecret {
  orgId: string;
  storeId: string;
  name: string;
}

/** The encrypted copy that a sandbox or a checkpoint has of a secret. */
export interface SecretCopy extends EncryptedValue {
  orgId: string;
  ownerId: string;
  name: string;
  kind: SecretKind;
  token: string;
  allowedHosts: string[];
  substituteIn: string[];
  sourceStoreId: string;
  /** Null while its value may be used. */
  revokedAt: Date | null;
}

/** The copies of sandboxes, or of checkpoints. */
export interface CopyTable {
  kind: "sandbox" | "checkpoint";
  /**
   * Owners of copies, which are deleted only after the transaction.
   * `hasSession` is whether the owner may have one.
   */
  listOwners(
    transaction: Database,
    source: SourceSecret,
  ): Promise<{ id: string; hasSession: boolean }[]>;
  /** A kill that deletes a copy meanwhile waits for the transaction. */
  read(transaction: Database, source: SourceSecret, ownerIds: string[]): Promise<SecretCopy[]>;
  write(transaction: Database, copies: SecretCopy[]): Promise<void>;
  /** Revokes the copies of these owners, and keeps the time of an earlier revocation. */
  revoke(
    transaction: Database,
    source: SourceSecret,
    ownerIds: string[],
    revokedAt: Date,
  ): Promise<void>;
  contextOf(copy: SecretCopy): EncryptionContext;
}

const overwritten = {
  encrypted: sql`excluded.sealed`,
  keyVersion: sql`excluded.key_version`,
  allowedHosts: sql`excluded.allowed_hosts`,
  substituteIn: sql`excluded.substitute_in`,
  revokedAt: sql`excluded.revoked_at`,
};

const ofSource = (
  table: typeof sandboxSecrets | typeof checkpointSecrets,
  { orgId, storeId, name }: SourceSecret,
) => and(eq(table.orgId, orgId), eq(table.sourceStoreId, storeId), eq(table.name, name));

/** Copies of sandboxes that run, may run again or are being killed. */
export const sandboxCopies: CopyTable = {
  kind: "sandbox",

  async listOwners(transaction, source) {
    const states = [...new Set([...keptStates, ...sessionStates])];
    const rows = await transaction
      .select({ id: sandboxes.id, state: sandboxes.state })
      .from(sandboxes)
      .innerJoin(sandboxSecrets, eq(sandboxSecrets.sandboxId, sandboxes.id))
      .where(and(ofSource(sandboxSecrets, source), inArray(sandboxes.state, states)))
      .for("key share", { of: sandboxes });
    return rows.map(({ id, state }) => ({ id, hasSession: sessionStates.includes(state) }));
  },

  async read(transaction, source, ownerIds) {
    const rows = await transaction
      .select()
      .from(sandboxSecrets)
      .where(and(ofSource(sandboxSecrets, source), inArray(sandboxSecrets.sandboxId, ownerIds)))
      .for("update");
    return rows.map(({ sandboxId: ownerId, ...row }) => ({ ...row, ownerId }));
  },

  async write(transaction, copies) {
    await transaction
      .insert(sandboxSecrets)
      .values(copies.map(({ ownerId: sandboxId, ...copy }) => ({ ...copy, sandboxId })))
      .onConflictDoUpdate({
        target: [sandboxSecrets.sandboxId, sandboxSecrets.name],
        set: overwritten,
      });
  },

  async revoke(transaction, source, ownerIds, revokedAt) {
    const { sandboxId } = sandboxSecrets;
    const isCopy = and(ofSource(sandboxSecrets, source), inArray(sandboxId, ownerIds));
    await transaction
      .update(sandboxSecrets)
      .set({ revokedAt })
      .where(and(isCopy, isNull(sandboxSecrets.revokedAt)));
  },

  contextOf: ({ orgId, ownerId: sandboxId, name }) => ({
    ...{ kind: "sandbox-secret", orgId, sandboxId, name },
  }),
};

export const checkpointCopies: CopyTable = {
  kind: "checkpoint",

  async listOwners(transaction, source) {
    const rows = await transaction
      .select({ id: checkpoints.id })
      .from(checkpoints)
      .innerJoin(checkpointSecrets, eq(checkpointSecrets.checkpointId, checkpoints.id))
      .where(ofSource(checkpointSecrets, source))
      .for("key share", { of: checkpoints });
    return rows.map(({ id }) => ({ id, hasSession: false }));
  },

  async read(transaction, source, ownerIds) {
    const isOwned = inArray(checkpointSecrets.checkpointId, ownerIds);
    const rows = await transaction
      .select()
      .from(checkpointSecrets)
      .where(and(ofSource(checkpointSecrets, source), isOwned))
      .for("update");
    return rows.map(({ checkpointId: ownerId, ...row }) => ({ ...row, ownerId }));
  },

  async write(transaction, copies) {
    await transaction
      .insert(checkpointSecrets)
      .values(copies.map(({ ownerId: checkpointId, ...copy }) => ({ ...copy, checkpointId })))
      .onConflictDoUpdate({
        target: [checkpointSecrets.checkpointId, checkpointSecrets.name],
        set: overwritten,
      });
  },

  async revoke(transaction, source, ownerIds, revokedAt) {
    const { checkpointId } = checkpointSecrets;
    const isCopy = and(ofSource(checkpointSecrets, source), inArray(checkpointId, ownerIds));
    await transaction
      .update(checkpointSecrets)
      .set({ revokedAt })
      .where(and(isCopy, isNull(checkpointSecrets.revokedAt)));
  },

  contextOf: ({ orgId, ownerId: checkpointId, name }) => ({
    ...{ kind: "checkpoint-secret", orgId, checkpointId, name },
  }),
};
