import type { AllowedHosts } from "@opencomputer/protocol/api";
import type { EgressPolicy } from "@opencomputer/protocol/wire";
import type { Workers } from "../../worker/workers.ts";
import type { SandboxRepository, SandboxRow } from "../rows/sandbox-repository.ts";

type Policy = Pick<EgressPolicy, "egressAllowlist" | "perSecretAllowedHosts">;

/**
 * Reads what the proxy enforces for a sandbox from the proxy itself. For a
 * sandbox that is hibernated it is what the proxy gets at its wake.
 *
 * @throws {WireError} `egress_proxy_unavailable` when the proxy does not respond for the sandbox.
 */
export async function readAllowedHosts(
  deps: { workers: Workers; sandboxes: SandboxRepository },
  sandbox: SandboxRow,
): Promise<AllowedHosts> {
  const copies = await deps.sandboxes.listSecrets(sandbox.orgId, sandbox.id);
  const secrets = copies.filter(({ revokedAt }) => revokedAt === null);
  const policy =
    sandbox.state === "running"
      ? await deps.workers.of(sandbox).egressProxies.of(sandbox).getPolicy(sandbox.id)
      : storedPolicy(sandbox, secrets);
  const unlimited = secrets.filter(({ allowedHosts }) => allowedHosts.length === 0);
  return {
    sandboxID: sandbox.id,
    ...(sandbox.projectName === null ? {} : { project: sandbox.projectName }),
    ...(sandbox.secretStoreName === null ? {} : { secretStore: sandbox.secretStoreName }),
    ...(sandbox.baseSecretStoreName === null
      ? {}
      : { baseSecretStore: sandbox.baseSecretStoreName }),
    egressAllowlist: policy.egressAllowlist,
    perSecretAllowedHosts: Object.fromEntries(
      Object.entries(policy.perSecretAllowedHosts).filter(([, hosts]) => hosts.length > 0),
    ),
    ...(unlimited.length === 0
      ? {}
      : { secretsForAllHosts: unlimited.map(({ name }) => name).sort() }),
  };
}

function storedPolicy(
  { egressAllowlist }: SandboxRow,
  secrets: readonly { name: string; allowedHosts: string[] }[],
): Policy {
  return {
    egressAllowlist,
    perSecretAllowedHosts: Object.fromEntries(
      secrets.map(({ name, allowedHosts }) => [name, allowedHosts]),
    ),
  };
}
