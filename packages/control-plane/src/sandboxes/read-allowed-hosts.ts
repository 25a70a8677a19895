import { type AllowedHosts, type EgressPolicy, WireError } from "@opencomputer/protocol";
import type { EgressProxyClient } from "../egress-proxy/egress-proxy-client.ts";
import type { SandboxRepository, SandboxRow } from "./sandbox-repository.ts";

/** @throws {WireError} `egress_proxy_unavailable` when the proxy does not answer for the sandbox. */
export type ReadAllowedHosts = (sandbox: SandboxRow) => Promise<AllowedHosts>;

type Policy = Pick<EgressPolicy, "egressAllowlist" | "perSecretAllowedHosts">;

/**
 * What the proxy enforces for a sandbox, asked of the proxy itself. For a
 * sandbox that is hibernated it is what the proxy will be told at its wake.
 */
export function createReadAllowedHosts(deps: {
  egressProxy: EgressProxyClient;
  sandboxes: SandboxRepository;
}): ReadAllowedHosts {
  return async (sandbox) => {
    const copies = await deps.sandboxes.listSecrets(sandbox.orgId, sandbox.id);
    const secrets = copies.filter(({ revokedAt }) => revokedAt === null);
    const policy =
      sandbox.state === "running"
        ? await readPolicy(deps.egressProxy, sandbox.id)
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

async function readPolicy(egressProxy: EgressProxyClient, sandboxId: string): Promise<Policy> {
  try {
    return await egressProxy.getPolicy(sandboxId);
  } catch (error) {
    if (!(error instanceof WireError) || error.status !== 404) throw error;
    throw new WireError(
      "egress_proxy_unavailable",
      `The egress proxy has restarted and does not hold sandbox ${sandboxId} yet; try again`,
      { cause: error },
    );
  }
}
