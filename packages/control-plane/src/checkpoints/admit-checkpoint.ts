import { randomUUID } from "node:crypto";
import {
  type CreateCheckpointRequest,
  limits,
  type RetentionPolicy,
  WireError,
} from "@opencomputer/protocol/api";
import type { FormerSecretRepository } from "../former-secrets/former-secret-repository.ts";
import { assertDiskBudget } from "../orgs/disk-budget.ts";
import type { OrgTransactions } from "../orgs/org-repository.ts";
import { configOf } from "../sandboxes/rows/sandbox-config.ts";
import type { SandboxRepository, SandboxRow } from "../sandboxes/rows/sandbox-repository.ts";
import type { Vault } from "../vault/vault.ts";
import type {
  CheckpointRepository,
  CheckpointRow,
  ListedCheckpointRow,
} from "./checkpoint-repository.ts";

const countMaxByKind = {
  full: limits.fullCheckpointsPerSandboxMax,
  disk_only: limits.diskOnlyCheckpointsPerSandboxMax,
};

/**
 * Stores the row of a checkpoint in status `processing`: a fork starts with what
 * the sandbox is now, with copies of its secrets and of their former values,
 * encrypted anew under the same tokens. Failed checkpoints do not count, and one
 * of the same name is replaced.
 *
 * The org is locked, so no secret is rotated between the reading and the copying.
 *
 * @returns the row, and the checkpoints that were deleted for it.
 * @throws {WireError} `name_in_use`, `limit_reached`
 */
export async function admitCheckpoint(
  deps: {
    orgTransactions: OrgTransactions;
    checkpoints: CheckpointRepository;
    sandboxes: SandboxRepository;
    vault: Vault;
    formerSecrets: FormerSecretRepository;
    /** What sandboxes, checkpoints and images of an org may take on the disk. */
    diskMBPerOrgMax: number;
  },
  sandbox: SandboxRow,
  request: CreateCheckpointRequest,
): Promise<{ row: CheckpointRow; removedIds: string[] }> {
  const { checkpoints, sandboxes, vault, formerSecrets } = deps;
  const { orgId, id: sandboxId } = sandbox;
  const kind = request.kind ?? "full";

  return deps.orgTransactions.run(orgId, async (transaction) => {
    const existing = await checkpoints.list(orgId, sandboxId, transaction);
    const removed = chooseReplaced(existing, { ...request, kind });
    for (const { id } of removed) await checkpoints.delete(orgId, id, transaction);
    if ((await checkpoints.count(transaction, orgId)) >= limits.checkpointsPerOrgMax) {
      throw new WireError(
        "limit_reached",
        `Checkpoint limit reached: this org has ${limits.checkpointsPerOrgMax} checkpoints, the maximum. Delete one first`,
        { remediation: "oc checkpoint delete <sandbox-id> <checkpoint-id>" },
      );
    }
    const checkpointId = randomUUID();
    const secrets = await sandboxes.listSecrets(orgId, sandboxId, transaction);
    await checkpoints.insert(
      transaction,
      {
        ...{ ...configOf(sandbox), appliedPatchIds: sandbox.appliedPatchIds, orgId, sandboxId },
        ...{ id: checkpointId, name: request.name, kind, status: "processing" },
      },
      secrets.map(({ sandboxId: _sandboxId, ...secret }) => {
        const { name } = secret;
        const value = vault.decrypt(secret, { kind: "sandbox-secret", orgId, sandboxId, name });
        const context = { kind: "checkpoint-secret", orgId, checkpointId, name } as const;
        return { ...secret, ...vault.encrypt(value, context), checkpointId };
      }),
    );
    await assertDiskBudget(transaction, orgId, deps.diskMBPerOrgMax);
    const parent = { kind: "sandbox", orgId, ids: [sandboxId] } as const;
    const formers = await formerSecrets.list(transaction, parent, new Date());
    await formerSecrets.insert(
      transaction,
      { kind: "checkpoint", orgId, ids: [checkpointId] },
      formers.map((former) => ({ ...former, ownerId: checkpointId })),
    );
    const row = await checkpoints.find(orgId, checkpointId, transaction);
    if (row === undefined) throw new Error("A checkpoint is absent right after its insert");
    return { row, removedIds: removed.map(({ id }) => id) };
  });
}

/**
 * Chooses what is deleted for one more checkpoint of that name and kind. Only ready
 * ones are: one that is being made may be about to be forked.
 *
 * @param existing The oldest first.
 */
function chooseReplaced(
  existing: readonly ListedCheckpointRow[],
  request: {
    name: string;
    kind: CheckpointRow["kind"];
    retentionPolicy?: RetentionPolicy | null | undefined;
  },
): ListedCheckpointRow[] {
  const { name, kind, retentionPolicy } = request;
  const replaced = existing.filter((row) => row.name === name && row.status === "failed");
  const kept = existing.filter((row) => row.status !== "failed");
  if (kept.some((row) => row.name === name)) {
    throw new WireError(
      "name_in_use",
      `This sandbox has a checkpoint named ${JSON.stringify(name)}: choose another name, or delete it first`,
      { remediation: "oc checkpoint delete <sandbox-id> <checkpoint-id>" },
    );
  }
  const countMax = Math.min(countMaxByKind[kind], retentionPolicy?.maxCount ?? Infinity);
  const ofKind = kept.filter((row) => row.kind === kind);
  const excess = ofKind.length - (countMax - 1);
  if (excess <= 0) return replaced;
  const oldest = ofKind.filter((row) => row.status === "ready").slice(0, excess);
  if (retentionPolicy?.mode === "delete_oldest" && oldest.length === excess) {
    return [...replaced, ...oldest];
  }
  throw new WireError(
    "limit_reached",
    `Checkpoint limit reached: this sandbox has ${ofKind.length} ${kind} checkpoints, the maximum is ${countMax}. Delete one, or send retentionPolicy.mode "delete_oldest"`,
    {
      remediation:
        "oc checkpoint delete <sandbox-id> <checkpoint-id>, or oc checkpoint create --retention-policy delete_oldest",
    },
  );
}
