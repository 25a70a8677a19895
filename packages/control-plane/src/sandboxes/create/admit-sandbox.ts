import { limits, otherPortsOf, WireError } from "@opencomputer/protocol/api";
import { egressModeFor, type PrepareSandboxRequest } from "@opencomputer/protocol/wire";
import type { Database } from "../../database/database.ts";
import { recordEvents } from "../../events/record-event.ts";
import type { Caller } from "../../orgs/api-key-repository.ts";
import { assertDiskBudget } from "../../orgs/disk-budget.ts";
import type { OrgTransactions } from "../../orgs/org-repository.ts";
import { assertRunningLimit } from "../../orgs/sandbox-limits.ts";
import { type OpenLayersDeps, openLayers } from "../../secret-layers/open-layers.ts";
import type { Vault } from "../../vault/vault.ts";
import { insertWebhook } from "../../webhooks/webhook-repository.ts";
import type { HostSizes } from "../../worker/worker-link.ts";
import { mergePlan, type SandboxSecret } from "../plan/merge-plan.ts";
import { sandboxEnvironment } from "../plan/sandbox-environment.ts";
import type { SandboxPlan } from "../plan/sandbox-plan.ts";
import type { SandboxConfig } from "../rows/sandbox-config.ts";
import type {
  NewSandboxRow,
  SandboxRepository,
  SandboxSecretRow,
} from "../rows/sandbox-repository.ts";
import type { BeginningTransition } from "../rows/transition-columns.ts";
import { assertFitsHost } from "../scaling/assert-fits-host.ts";

export interface AdmitSandboxDeps extends OpenLayersDeps {
  orgTransactions: OrgTransactions;
  sandboxes: SandboxRepository;
  /** How many sandboxes an org may have at once. */
  sandboxesPerOrgMax: number;
  /** How many of one API key; undefined for no such bound. */
  sandboxesPerKeyMax: number | undefined;
  /** What sandboxes, checkpoints and images of an org may take on the disk. */
  diskMBPerOrgMax: number;
}

/** The id of a sandbox that is made, and the transition of its row. */
export type NewSandboxIdentity = Pick<NewSandboxRow, "id"> & BeginningTransition;

/**
 * Turns a plan into a row in state `creating`, with encrypted copies of its secrets.
 * `identity` has its id and its transition.
 *
 * @returns what the worker is to prepare.
 * @throws {WireError} when the plan does not fit the host or names what does not
 * exist; `too_many_requests` or `limit_reached` when the caller has reached a limit.
 */
export async function admitSandbox(
  deps: AdmitSandboxDeps,
  caller: Caller,
  plan: SandboxPlan,
  host: HostSizes,
  identity: NewSandboxIdentity,
): Promise<PrepareSandboxRequest> {
  const { orgId } = caller;
  const { id: sandboxId } = identity;

  return deps.orgTransactions.run(orgId, async (transaction) => {
    const layers = await openLayers(deps, transaction, orgId, plan);
    assertFitsHost(plan.config, host);
    if (plan.purpose === "user") {
      await assertRunningLimit(transaction, deps, caller);
      await assertKeptLimit(transaction, deps.sandboxes, orgId);
    }
    const { egressAllowlist, secrets, envs, formerSecrets } = mergePlan(plan, layers);
    const hasSecretStore = plan.hasSecretStore || secrets.length > 0;
    const egressMode = egressModeFor({ hasSecretStore, egressAllowlist });
    const config: SandboxConfig = {
      ...plan.config,
      secretStoreId: layers.top.storeId ?? plan.config.secretStoreId,
      ...{ envs, egressMode, egressAllowlist },
    };
    const now = new Date();
    await deps.sandboxes.insert(
      transaction,
      {
        ...config,
        ...identity,
        orgId,
        apiKeyId: caller.apiKeyId,
        state: "creating",
        purpose: plan.purpose,
        tags: {},
        previewTokenHash: plan.previewTokenHash,
        fromCheckpointId: plan.fork?.checkpointId ?? null,
        appliedPatchIds: [],
        startedAt: now,
        lastActiveAt: now,
      },
      secrets.map((secret) => copyFor(deps.vault, orgId, sandboxId, secret)),
    );
    if (plan.purpose === "user") {
      await assertDiskBudget(transaction, orgId, deps.diskMBPerOrgMax);
      for (const webhook of plan.webhooks) {
        await insertWebhook(transaction, deps.vault, { orgId, sandboxId }, webhook);
      }
      await recordCreation(transaction, { orgId, sandboxId }, plan);
    }
    const owner = { kind: "sandbox", orgId, ids: [sandboxId] } as const;
    await deps.formerSecrets.insert(
      transaction,
      owner,
      formerSecrets.map((former) => ({ ...former, ownerId: sandboxId })),
    );
    const { cpuCount, memoryMB, diskMB, scaling } = config;
    return {
      ...{ sandboxId, cpuCount, memoryMB, diskMB, egressMode },
      egressPorts: otherPortsOf(egressAllowlist),
      checkpointId: plan.checkpointId,
      envs: sandboxEnvironment(secrets, envs),
      ...(scaling === null ? {} : { scaling }),
    };
  });
}

async function recordCreation(
  transaction: Database,
  sandbox: { orgId: string; sandboxId: string },
  { config: { cpuCount, memoryMB }, fork }: SandboxPlan,
): Promise<void> {
  const data = { cpuCount, memoryMB };
  const created = { ...sandbox, type: "sandbox.created", data } as const;
  const forked = fork === null ? [] : [{ ...sandbox, type: "sandbox.forked", data: fork } as const];
  await recordEvents(transaction, [created, ...forked]);
}

/** Hibernated sandboxes have no machine, but rows and files. */
async function assertKeptLimit(
  transaction: Database,
  sandboxes: SandboxRepository,
  orgId: string,
): Promise<void> {
  const max = limits.sandboxesKeptPerOrgMax;
  if ((await sandboxes.countKept(transaction, orgId)) < max) return;
  throw new WireError(
    "limit_reached",
    `Sandbox limit reached: this org has ${max} sandboxes, running and hibernated, the maximum. Kill one first`,
    { remediation: "oc kill <id>" },
  );
}

function copyFor(
  vault: Vault,
  orgId: string,
  sandboxId: string,
  secret: SandboxSecret,
): SandboxSecretRow {
  const { value, ...rest } = secret;
  const encrypted = vault.encrypt(value, {
    kind: "sandbox-secret",
    orgId,
    sandboxId,
    name: rest.name,
  });
  return { ...rest, orgId, sandboxId, ...encrypted };
}
