import { and, eq, inArray } from "drizzle-orm";
import type { Database } from "../database/database.ts";
import { checkpointSecrets, sandboxes, sandboxSecrets } from "../database/schema.ts";
import type { SecretValue } from "../vault/secret-value.ts";
import type { Vault } from "../vault/vault.ts";
import { keptStates, liveStates } from "./sandbox-states.ts";

interface RotatedSecret {
  orgId: string;
  storeId: string;
  name: string;
  value: SecretValue;
  allowedHosts: string[];
}

/**
 * Gives the copies of one store secret a new value and new host limits, under
 * the tokens they have: in sandboxes that run or may run again, and in
 * checkpoints. The org is locked, as it is whenever a copy is made.
 *
 * @returns the ids of the sandboxes whose sessions are to be handed over again.
 */
export async function resealCopies(
  transaction: Database,
  vault: Vault,
  secret: RotatedSecret,
): Promise<string[]> {
  await resealInCheckpoints(transaction, vault, secret);
  return resealInSandboxes(transaction, vault, secret);
}

async function resealInSandboxes(
  transaction: Database,
  vault: Vault,
  { orgId, storeId, name, value, allowedHosts }: RotatedSecret,
): Promise<string[]> {
  const copies = await transaction
    .select({ sandboxId: sandboxSecrets.sandboxId, state: sandboxes.state })
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
  for (const { sandboxId } of copies) {
    const sealed = vault.seal(value, { kind: "sandbox-secret", orgId, sandboxId, name });
    await transaction
      .update(sandboxSecrets)
      .set({ ...sealed, allowedHosts })
      .where(
        and(
          eq(sandboxSecrets.orgId, orgId),
          eq(sandboxSecrets.sandboxId, sandboxId),
          eq(sandboxSecrets.name, name),
        ),
      );
  }
  return copies.filter((copy) => liveStates.includes(copy.state)).map((copy) => copy.sandboxId);
}

async function resealInCheckpoints(
  transaction: Database,
  vault: Vault,
  { orgId, storeId, name, value, allowedHosts }: RotatedSecret,
): Promise<void> {
  const copies = await transaction
    .select({ checkpointId: checkpointSecrets.checkpointId })
    .from(checkpointSecrets)
    .where(
      and(
        eq(checkpointSecrets.orgId, orgId),
        eq(checkpointSecrets.sourceStoreId, storeId),
        eq(checkpointSecrets.name, name),
      ),
    );
  for (const { checkpointId } of copies) {
    const sealed = vault.seal(value, { kind: "checkpoint-secret", orgId, checkpointId, name });
    await transaction
      .update(checkpointSecrets)
      .set({ ...sealed, allowedHosts })
      .where(
        and(
          eq(checkpointSecrets.orgId, orgId),
          eq(checkpointSecrets.checkpointId, checkpointId),
          eq(checkpointSecrets.name, name),
        ),
      );
  }
}
