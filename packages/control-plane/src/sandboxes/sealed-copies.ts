import { and, eq, inArray } from "drizzle-orm";
import type { Database } from "../database/database.ts";
import { sandboxes, sandboxSecrets } from "../database/schema.ts";
import type { SecretValue } from "../vault/secret-value.ts";
import type { Vault } from "../vault/vault.ts";

/**
 * Gives the copies of one store secret in live sandboxes a new value and new
 * host limits, under the tokens they have.
 *
 * @returns the ids of those sandboxes.
 */
export async function resealCopies(
  transaction: Database,
  vault: Vault,
  secret: {
    orgId: string;
    storeId: string;
    name: string;
    value: SecretValue;
    allowedHosts: string[];
  },
): Promise<string[]> {
  const { orgId, storeId, name, value, allowedHosts } = secret;
  const copies = await transaction
    .select({ sandboxId: sandboxSecrets.sandboxId })
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
        inArray(sandboxes.state, ["creating", "running"]),
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
  return copies.map((copy) => copy.sandboxId);
}
