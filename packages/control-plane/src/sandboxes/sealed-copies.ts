import { and, eq, inArray } from "drizzle-orm";
import type { Database } from "../database/database.ts";
import { checkpointSecrets, sandboxes, sandboxSecrets } from "../database/schema.ts";
import { isSameUse, type SecretUse } from "../former-secrets/former-secret.ts";
import type {
  FormerSecretOwner,
  FormerSecretRepository,
} from "../former-secrets/former-secret-repository.ts";
import { KeyRingError } from "../vault/key-ring.ts";
import type { SecretValue } from "../vault/secret-value.ts";
import { type SealContext, type SealedValue, type Vault, VaultError } from "../vault/vault.ts";
import { keptStates, liveStates } from "./sandbox-states.ts";

/** What becomes of the copies of one store secret. Undefined keeps what each copy has. */
export interface CopyChange {
  orgId: string;
  storeId: string;
  name: string;
  value: SecretValue | undefined;
  allowedHosts: string[] | undefined;
  substituteIn: string[];
}

interface Copy extends SealedValue {
  name: string;
  token: string;
  allowedHosts: string[];
  substituteIn: string[];
}

/**
 * Changes the copies of one store secret, under the tokens that they have: in
 * sandboxes that run or may run again, and in checkpoints. What a copy could
 * be used for before becomes a former value of its owner. The org is locked,
 * as it is whenever a copy is made.
 *
 * @returns the ids of the sandboxes whose sessions are to be handed over again.
 */
export async function changeCopies(
  deps: { vault: Vault; formerSecrets: FormerSecretRepository },
  transaction: Database,
  change: CopyChange,
): Promise<string[]> {
  const now = new Date();
  const { orgId, storeId, name } = change;

  for (const id of await listCheckpoints(transaction, change)) {
    const copies = and(
      eq(checkpointSecrets.orgId, orgId),
      eq(checkpointSecrets.checkpointId, id),
      eq(checkpointSecrets.name, name),
      eq(checkpointSecrets.sourceStoreId, storeId),
    );
    const [copy] = await transaction.select().from(checkpointSecrets).where(copies);
    if (copy === undefined) continue;
    const owner = { kind: "checkpoint", orgId, id } as const;
    const context = { kind: "checkpoint-secret", orgId, checkpointId: id, name } as const;
    const changed = await retire(deps, transaction, { owner, context, copy, change, now });
    await transaction.update(checkpointSecrets).set(changed).where(copies);
  }

  const owners = await listSandboxes(transaction, change);
  for (const { id } of owners) {
    const copies = and(
      eq(sandboxSecrets.orgId, orgId),
      eq(sandboxSecrets.sandboxId, id),
      eq(sandboxSecrets.name, name),
      eq(sandboxSecrets.sourceStoreId, storeId),
    );
    const [copy] = await transaction.select().from(sandboxSecrets).where(copies);
    if (copy === undefined) continue;
    const owner = { kind: "sandbox", orgId, id } as const;
    const context = { kind: "sandbox-secret", orgId, sandboxId: id, name } as const;
    const changed = await retire(deps, transaction, { owner, context, copy, change, now });
    await transaction.update(sandboxSecrets).set(changed).where(copies);
  }
  return owners.filter(({ state }) => liveStates.includes(state)).map(({ id }) => id);
}

async function listCheckpoints(
  transaction: Database,
  { orgId, storeId, name }: CopyChange,
): Promise<string[]> {
  const rows = await transaction
    .select({ id: checkpointSecrets.checkpointId })
    .from(checkpointSecrets)
    .where(
      and(
        eq(checkpointSecrets.orgId, orgId),
        eq(checkpointSecrets.sourceStoreId, storeId),
        eq(checkpointSecrets.name, name),
      ),
    );
  return rows.map(({ id }) => id);
}

async function listSandboxes(transaction: Database, { orgId, storeId, name }: CopyChange) {
  return transaction
    .select({ id: sandboxSecrets.sandboxId, state: sandboxes.state })
    .from(sandboxSecrets)
    .innerJoin(
      sandboxes,
      and(eq(sandboxes.id, sandboxSecrets.sandboxId), eq(sandboxes.orgId, orgId)),
    )
    .where(
      and(
        eq(sandboxSecrets.orgId, orgId),
        eq(sandboxSecrets.sourceStoreId, storeId),
        eq(sandboxSecrets.name, name),
        inArray(sandboxes.state, keptStates),
      ),
    );
}

/** Keeps what a copy could be used for, and gives what of its row changes. */
async function retire(
  { vault, formerSecrets }: { vault: Vault; formerSecrets: FormerSecretRepository },
  transaction: Database,
  given: {
    owner: FormerSecretOwner;
    context: SealContext;
    copy: Copy;
    change: CopyChange;
    now: Date;
  },
): Promise<Omit<Partial<Copy>, "name" | "token">> {
  const { owner, context, copy, change, now } = given;
  const value = openCopy(vault, copy, context);
  if (value !== undefined) {
    const before: SecretUse = { ...copy, value };
    const after: SecretUse = {
      ...before,
      value: change.value ?? value,
      allowedHosts: change.allowedHosts ?? copy.allowedHosts,
      substituteIn: change.substituteIn,
    };
    if (!isSameUse(before, after)) {
      await formerSecrets.add(transaction, owner, { ...before, retiredAt: now });
    }
  }
  return {
    ...(change.value === undefined ? {} : vault.seal(change.value, context)),
    ...(change.allowedHosts === undefined ? {} : { allowedHosts: change.allowedHosts }),
    substituteIn: change.substituteIn,
  };
}

/** A copy that cannot be decrypted reaches no proxy. Setting its secret again repairs it. */
function openCopy(vault: Vault, copy: Copy, context: SealContext): SecretValue | undefined {
  try {
    return vault.open(copy, context);
  } catch (error) {
    if (error instanceof VaultError || error instanceof KeyRingError) return undefined;
    throw error;
  }
}
