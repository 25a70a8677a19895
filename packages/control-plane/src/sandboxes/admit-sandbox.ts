import {
  type CreateSandboxRequest,
  egressModeFor,
  limits,
  objectNameSchema,
  type PrepareSandboxRequest,
  WireError,
} from "@opencomputer/protocol";
import type { Database } from "../database/database.ts";
import type { ProjectRepository } from "../projects/project-repository.ts";
import { layerSecrets, type SecretLayer } from "../secret-stores/layer-secrets.ts";
import { loadLayer, loadNamedLayer, type StoredSecret } from "../secret-stores/load-layer.ts";
import type { Vault } from "../vault/vault.ts";
import { assertRoom, type Caller } from "./assert-room.ts";
import { mintSandboxId, mintSealedToken } from "./sandbox-identity.ts";
import { assertFitsHost, resolveSandboxOptions } from "./sandbox-options.ts";
import type { SandboxRepository, SandboxSecretRow } from "./sandbox-repository.ts";

const emptyLayer: SecretLayer<StoredSecret> = { egressAllowlist: [], secrets: [] };

/**
 * Turns a request into a row in state `creating`, with the sandbox's own
 * sealed copies of its secrets, and says what the worker is to prepare.
 *
 * @throws {WireError} when the request does not fit or names what does not
 * exist; `too_many_requests` when the caller has as many sandboxes as it may.
 */
export async function admitSandbox(
  deps: {
    database: Database;
    sandboxes: SandboxRepository;
    projects: ProjectRepository;
    vault: Vault;
    /** How many sandboxes an org may have at once. */
    sandboxesPerOrgMax: number;
    /** How many of one API key; undefined for no such bound. */
    sandboxesPerKeyMax: number | undefined;
  },
  caller: Caller,
  request: CreateSandboxRequest,
  host: { cpuCountMax: number; memoryMBMax: number },
): Promise<PrepareSandboxRequest> {
  const { orgId } = caller;
  const owner = await findProject(deps.projects, orgId, request.project);
  const options = resolveSandboxOptions(request, owner?.project);
  assertFitsHost(options, host);
  const envs = request.envs ?? {};
  const storeName = request.secretStore || undefined;
  const sandboxId = mintSandboxId();

  return deps.database.transaction(async (transaction) => {
    await assertRoom(transaction, deps, caller);
    const base =
      owner === undefined ? emptyLayer : await loadLayer(transaction, orgId, owner.storeId);
    const top =
      storeName === undefined ? emptyLayer : await loadNamedLayer(transaction, orgId, storeName);
    const layered = layerSecrets(base, top);
    const egressMode = egressModeFor({
      hasSecretStore: storeName !== undefined || layered.secrets.length > 0,
      egressAllowlist: layered.egressAllowlist,
    });
    const secrets = layered.secrets
      .filter((secret) => !Object.hasOwn(envs, secret.name))
      .map((secret) => copyFor(deps.vault, orgId, sandboxId, secret));
    assertEnvironmentFits(envs, secrets);
    const now = new Date();
    await deps.sandboxes.insert(
      transaction,
      {
        ...options,
        id: sandboxId,
        orgId,
        apiKeyId: caller.apiKeyId,
        state: "creating",
        metadata: request.metadata ?? {},
        tags: {},
        projectName: owner?.project.name ?? null,
        secretStoreName: storeName ?? null,
        baseSecretStoreName:
          storeName !== undefined && owner !== undefined ? owner.project.name : null,
        egressMode,
        egressAllowlist: layered.egressAllowlist,
        startedAt: now,
        lastActiveAt: now,
      },
      secrets,
    );
    return {
      sandboxId,
      cpuCount: options.cpuCount,
      memoryMB: options.memoryMB,
      diskMB: options.diskMB,
      egressMode,
      checkpointId: null,
      envs: {
        ...Object.fromEntries(secrets.map((secret) => [secret.name, secret.token])),
        ...envs,
      },
    };
  });
}

async function findProject(projects: ProjectRepository, orgId: string, name: string | undefined) {
  if (name === undefined || name === "") return undefined;
  const owner = objectNameSchema.safeParse(name).success
    ? await projects.findByName(orgId, name)
    : undefined;
  if (owner !== undefined) return owner;
  throw new WireError("project_not_found", `project not found: ${name}`);
}

function copyFor(
  vault: Vault,
  orgId: string,
  sandboxId: string,
  secret: StoredSecret,
): SandboxSecretRow {
  const { storeId, name, allowedHosts } = secret;
  const value = vault.open(secret, { kind: "store-secret", orgId, storeId, name });
  return {
    orgId,
    sandboxId,
    name,
    token: mintSealedToken(),
    ...vault.seal(value, { kind: "sandbox-secret", orgId, sandboxId, name }),
    allowedHosts,
    sourceStoreId: storeId,
  };
}

function assertEnvironmentFits(envs: Record<string, string>, secrets: unknown[]): void {
  const variables = Object.keys(envs).length + secrets.length;
  if (variables <= limits.environmentVariablesMax) return;
  throw new WireError(
    "limit_exceeded",
    `A sandbox has at most ${limits.environmentVariablesMax} variables; its envs and secrets together are ${variables}`,
  );
}
