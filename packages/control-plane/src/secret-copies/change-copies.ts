import type { SecretKind } from "@opencomputer/protocol/api";
import type { Database } from "../database/database.ts";
import { isSameUse } from "../former-secrets/former-secret.ts";
import type {
  FormerSecretRepository,
  OwnedFormerSecret,
} from "../former-secrets/former-secret-repository.ts";
import { KeyRingError } from "../vault/key-ring.ts";
import type { SecretValue } from "../vault/secret-value.ts";
import { type EncryptionContext, type Vault, VaultError } from "../vault/vault.ts";
import {
  type CopyTable,
  checkpointCopies,
  type SecretCopy,
  type SourceSecret,
  sandboxCopies,
} from "./copy-tables.ts";

/** How many copies are in memory at the same time: a value may have 64 KiB. */
const copiesAtOnceMax = 50;

/**
 * A change of the copies of one secret. Undefined keeps what each copy has. Copies
 * of another kind are those of a secret of the same name that was deleted: they stay.
 */
export interface CopyChange extends SourceSecret {
  kind: SecretKind;
  value: SecretValue | undefined;
  allowedHosts: string[] | undefined;
  substituteIn: string[];
}

/**
 * Changes the copies of one secret, under the tokens that they have: in
 * sandboxes that run, may run again or are being killed, and in checkpoints. What a
 * copy could be used for before becomes a former value of its owner. The org is
 * locked, as it is when a copy is made.
 *
 * @returns the ids of the sandboxes whose sessions must be handed over again.
 */
export async function changeCopies(
  deps: { vault: Vault; formerSecrets: FormerSecretRepository },
  transaction: Database,
  change: CopyChange,
): Promise<string[]> {
  const idsWithSession: string[] = [];
  for (const table of [checkpointCopies, sandboxCopies]) {
    const owners = await table.listOwners(transaction, change);
    for (let start = 0; start < owners.length; start += copiesAtOnceMax) {
      const ids = owners.slice(start, start + copiesAtOnceMax).map(({ id }) => id);
      await changeSome(deps, transaction, table, ids, change);
    }
    idsWithSession.push(...owners.filter(({ hasSession }) => hasSession).map(({ id }) => id));
  }
  return idsWithSession;
}

async function changeSome(
  { vault, formerSecrets }: { vault: Vault; formerSecrets: FormerSecretRepository },
  transaction: Database,
  table: CopyTable,
  ids: string[],
  change: CopyChange,
): Promise<void> {
  const now = new Date();
  const copies = (await table.read(transaction, change, ids)).filter(
    ({ kind }) => kind === change.kind,
  );
  if (copies.length === 0) return;
  const retired: OwnedFormerSecret[] = [];
  const changed = copies.map((copy): SecretCopy => {
    const context = table.contextOf(copy);
    const former = retire(copy, openCopy(vault, copy, context), change, now);
    if (former !== undefined) retired.push(former);
    return {
      ...copy,
      ...(change.value === undefined
        ? {}
        : { ...vault.encrypt(change.value, context), revokedAt: null }),
      allowedHosts: change.allowedHosts ?? copy.allowedHosts,
      substituteIn: change.substituteIn,
    };
  });
  const owners = { kind: table.kind, orgId: change.orgId, ids };
  await formerSecrets.add(transaction, owners, retired, now);
  await table.write(transaction, changed);
}

/** Returns what the copy could be used for, unless the change leaves it as it is. */
function retire(
  { ownerId, name, kind, token, allowedHosts, substituteIn }: SecretCopy,
  value: SecretValue | undefined,
  change: CopyChange,
  now: Date,
): OwnedFormerSecret | undefined {
  if (value === undefined) return undefined;
  const before = { ownerId, name, kind, token, value, allowedHosts, substituteIn };
  const after = {
    ...before,
    value: change.value ?? value,
    allowedHosts: change.allowedHosts ?? allowedHosts,
    substituteIn: change.substituteIn,
  };
  return isSameUse(before, after) ? undefined : { ...before, retiredAt: now };
}

/** A copy that cannot be decrypted reaches no proxy. Setting its secret again repairs it. */
function openCopy(
  vault: Vault,
  copy: SecretCopy,
  context: EncryptionContext,
): SecretValue | undefined {
  try {
    return vault.decrypt(copy, context);
  } catch (error) {
    if (error instanceof VaultError || error instanceof KeyRingError) return undefined;
    throw error;
  }
}
