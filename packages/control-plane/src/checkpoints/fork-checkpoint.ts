import type { ForkRequest } from "@opencomputer/protocol";
import type { Database } from "../database/database.ts";
import type { FormerSecretRepository } from "../former-secrets/former-secret-repository.ts";
import type { Caller } from "../sandboxes/assert-room.ts";
import type { CreateSandbox } from "../sandboxes/create-sandbox.ts";
import type { DrawPlan } from "../sandboxes/sandbox-plan.ts";
import type { SandboxRow } from "../sandboxes/sandbox-repository.ts";
import type { SecretLayer } from "../secret-stores/layer-secrets.ts";
import { loadNamedLayer } from "../secret-stores/load-layer.ts";
import { emptyLayer, type OpenSecret, openLayer } from "../secret-stores/open-layer.ts";
import type { Vault } from "../vault/vault.ts";
import { awaitCheckpoint } from "./await-checkpoint.ts";
import { checkpointNotFound } from "./checkpoint-record.ts";
import type { CheckpointRepository, CheckpointRow } from "./checkpoint-repository.ts";
import { planFork } from "./plan-fork.ts";
import type { RunPatches } from "./run-patches.ts";

/**
 * Makes a sandbox from a checkpoint. It is there when its patches have run.
 *
 * @throws {WireError} `checkpoint_not_found`, `checkpoint_not_ready` when it is
 * not ready in time, `checkpoint_failed`, `session_not_found` for one that is to be restarted, and what a create throws.
 */
export type ForkCheckpoint = (
  caller: Caller,
  checkpointId: string,
  request: ForkRequest,
  signal: AbortSignal,
) => Promise<SandboxRow>;

export function createForkCheckpoint(deps: {
  checkpoints: CheckpointRepository;
  createSandbox: CreateSandbox;
  runPatches: RunPatches;
  vault: Vault;
  formerSecrets: FormerSecretRepository;
  /** Placements of secrets that name none, in stores that name none. */
  operatorPlacements: readonly string[];
}): ForkCheckpoint {
  const { checkpoints, createSandbox, runPatches, vault, formerSecrets } = deps;

  async function loadInherited(
    transaction: Database,
    { orgId, id: checkpointId, egressAllowlist }: CheckpointRow,
  ): Promise<SecretLayer<OpenSecret>> {
    const rows = await checkpoints.listSecrets(transaction, orgId, checkpointId);
    const secrets = rows.map((row) => {
      const { name, token, allowedHosts, substituteIn, sourceStoreId, revokedAt } = row;
      const value = vault.open(row, { kind: "checkpoint-secret", orgId, checkpointId, name });
      return { name, token, value, allowedHosts, substituteIn, sourceStoreId, revokedAt };
    });
    return { egressAllowlist, secrets };
  }

  return async (caller, checkpointId, request, signal) => {
    const { orgId } = caller;
    const { id } = await awaitCheckpoint(checkpoints, orgId, checkpointId, signal);
    const drawPlan: DrawPlan = async (transaction) => {
      const checkpoint = await checkpoints.find(orgId, id, transaction);
      if (checkpoint === undefined) throw checkpointNotFound(checkpointId);
      const base = await loadInherited(transaction, checkpoint);
      const top = request.secretStore
        ? openLayer(deps, orgId, await loadNamedLayer(transaction, orgId, request.secretStore))
        : emptyLayer;
      const owner = { kind: "checkpoint", orgId, ids: [id] } as const;
      const inheritedFormerSecrets = await formerSecrets.list(transaction, owner, new Date());
      return planFork(checkpoint, { base, top, inheritedFormerSecrets }, request);
    };
    return createSandbox(caller, drawPlan, signal, {
      restartSessions: request.restartSessions ?? [],
      // A fork that cannot be completed is discarded, with what its patches did.
      prepare: (sandboxId) =>
        runPatches(
          { orgId, checkpointId: id, sandboxId, appliedPatchIds: [] },
          async () => undefined,
          signal,
        ),
    });
  };
}
