import {
  egressModeFor,
  limits,
  type PrepareSandboxRequest,
  WireError,
} from "@opencomputer/protocol";
import type { Database } from "../database/database.ts";
import type { FormerSecretRepository } from "../former-secrets/former-secret-repository.ts";
import { assertDiskBudget } from "../orgs/disk-budget.ts";
import { lockOrg } from "../orgs/org-repository.ts";
import type { Vault } from "../vault/vault.ts";
import { assertRoom, type Caller } from "./assert-room.ts";
import { mergePlan, type SandboxSecret } from "./merge-plan.ts";
import { sandboxEnvironment } from "./sandbox-environment.ts";
import { mintSandboxId } from "./sandbox-identity.ts";
import { assertFitsHost } from "./sandbox-options.ts";
import type { DrawPlan } from "./sandbox-plan.ts";
import type { SandboxRepository, SandboxSecretRow } from "./sandbox-repository.ts";

/**
 * Turns a plan into a row in state `creating`, with the sandbox's own sealed
 * copies of its secrets, and says what the worker is to prepare.
 *
 * @throws {WireError} when the plan does not fit or names what does not
 * exist; `too_many_requests` or `limit_reached` when the caller has as much as it may.
 */
export async function admitSandbox(
  deps: {
    database: Database;
    sandboxes: SandboxRepository;
    vault: Vault;
    formerSecrets: FormerSecretRepository;
    /** How many sandboxes an org may have at once. */
    sandboxesPerOrgMax: number;
    /** How many of one API key; undefined for no such bound. */
    sandboxesPerKeyMax: number | undefined;
    /** What sandboxes, checkpoints and images of an org may take on the disk. */
    diskMBPerOrgMax: number;
  },
  caller: Caller,
  drawPlan: DrawPlan,
  host: { cpuCountMax: number; memoryMBMax: number },
): Promise<PrepareSandboxRequest> {
  const { orgId } = caller;
  const sandboxId = mintSandboxId();

  return deps.database.transaction(async (transaction) => {
    await lockOrg(transaction, orgId);
    const plan = await drawPlan(transaction);
    const { options } = plan;
    assertFitsHost(options, host);
    if (plan.purpose === "user") {
      await assertRoom(transaction, deps, caller);
      await assertRoomToKeep(transaction, deps.sandboxes, orgId);
    }
    const { egressAllowlist, secrets, envs, formerSecrets } = mergePlan(plan);
    const egressMode = egressModeFor({
      hasSecretStore: plan.hasSecretStore || secrets.length > 0,
      egressAllowlist,
    });
    const now = new Date();
    await deps.sandboxes.insert(
      transaction,
      {
        ...options,
        id: sandboxId,
        orgId,
        apiKeyId: caller.apiKeyId,
        state: "creating",
        purpose: plan.purpose,
        metadata: plan.metadata,
        tags: {},
        previewTokenHash: plan.previewTokenHash ?? null,
        projectName: plan.projectName,
        secretStoreName: plan.secretStoreName,
        baseSecretStoreName: plan.baseSecretStoreName,
        egressMode,
        egressAllowlist,
        envs,
        workingDirectory: plan.workingDirectory,
        fromCheckpointId: plan.fromCheckpointId,
        appliedPatchIds: [],
        startedAt: now,
        lastActiveAt: now,
      },
      secrets.map((secret) => copyFor(deps.vault, orgId, sandboxId, secret)),
    );
    if (plan.purpose === "user") {
      await assertDiskBudget(transaction, orgId, deps.diskMBPerOrgMax);
    }
    const owner = { kind: "sandbox", orgId, ids: [sandboxId] } as const;
    await deps.formerSecrets.insert(
      transaction,
      owner,
      formerSecrets.map((former) => ({ ...former, ownerId: sandboxId })),
    );
    return {
      sandboxId,
      cpuCount: options.cpuCount,
      memoryMB: options.memoryMB,
      diskMB: options.diskMB,
      egressMode,
      checkpointId: plan.checkpointId,
      envs: sandboxEnvironment(secrets, envs),
      ...(options.scaling ? { scaling: options.scaling } : {}),
    };
  });
}

/** Hibernated sandboxes take no machine, but rows and files. */
async function assertRoomToKeep(
  transaction: Database,
  sandboxes: SandboxRepository,
  orgId: string,
): Promise<void> {
  const max = limits.sandboxesKeptPerOrgMax;
  if ((await sandboxes.countKept(transaction, orgId)) < max) return;
  throw new WireError(
    "limit_reached",
    `Sandbox limit reached: this org has ${max} sandboxes, running and hibernated, the maximum. Kill one first`,
  );
}

function copyFor(
  vault: Vault,
  orgId: string,
  sandboxId: string,
  secret: SandboxSecret,
): SandboxSecretRow {
  const { value, ...rest } = secret;
  const sealed = vault.seal(value, { kind: "sandbox-secret", orgId, sandboxId, name: rest.name });
  return { ...rest, orgId, sandboxId, ...sealed };
}
