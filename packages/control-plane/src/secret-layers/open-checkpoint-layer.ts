import { WireError } from "@opencomputer/protocol/api";
import type { Database } from "../database/database.ts";
import { and, eq } from "../database/query-builder.ts";
import { checkpointSecrets, checkpoints } from "../database/schema.ts";
import type { Vault } from "../vault/vault.ts";
import type { OpenLayer } from "./secret-layer.ts";

/**
 * Opens what forks of a checkpoint inherit: its allowlist, and its secrets
 * under the tokens that its memory has for them.
 *
 * @throws {WireError} `checkpoint_not_found`
 */
export async function openCheckpointLayer(
  { vault }: { vault: Vault },
  transaction: Database,
  orgId: string,
  checkpointId: string,
): Promise<OpenLayer> {
  const [checkpoint] = await transaction
    .select({ egressAllowlist: checkpoints.egressAllowlist })
    .from(checkpoints)
    .where(and(eq(checkpoints.orgId, orgId), eq(checkpoints.id, checkpointId)));
  if (checkpoint === undefined) {
    throw new WireError("checkpoint_not_found", `checkpoint not found: ${checkpointId}`, {
      remediation: "oc checkpoint list <sandbox-id>",
    });
  }
  const rows = await transaction
    .select()
    .from(checkpointSecrets)
    .where(
      and(eq(checkpointSecrets.orgId, orgId), eq(checkpointSecrets.checkpointId, checkpointId)),
    );
  const secrets = rows.map((row) => {
    const { name, kind, token, allowedHosts, substituteIn, sourceStoreId, revokedAt } = row;
    const value = vault.decrypt(row, { kind: "checkpoint-secret", orgId, checkpointId, name });
    return { name, kind, token, value, allowedHosts, substituteIn, sourceStoreId, revokedAt };
  });
  return { storeId: null, egressAllowlist: checkpoint.egressAllowlist, secrets };
}
