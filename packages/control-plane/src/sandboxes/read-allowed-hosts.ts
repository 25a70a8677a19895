import { type AllowedHosts, WireError } from "@opencomputer/protocol";
import type { EgressProxyClient } from "../egress-proxy/egress-proxy-client.ts";
import type { SandboxRow } from "./sandbox-repository.ts";

/** @throws {WireError} `egress_proxy_unavailable` when the proxy does not answer for the sandbox. */
export type ReadAllowedHosts = (sandbox: SandboxRow) => Promise<AllowedHosts>;

/** What the proxy enforces for a sandbox, asked of the proxy itself. */
export function createReadAllowedHosts(egressProxy: EgressProxyClient): ReadAllowedHosts {
  return async (sandbox) => {
    const policy = await readPolicy(egressProxy, sandbox.id);
    return {
      sandboxID: sandbox.id,
      ...(sandbox.secretStoreName === null ? {} : { secretStore: sandbox.secretStoreName }),
      ...(sandbox.baseSecretStoreName === null
        ? {}
        : { baseSecretStore: sandbox.baseSecretStoreName }),
      egressAllowlist: policy.egressAllowlist,
      perSecretAllowedHosts: Object.fromEntries(
        Object.entries(policy.perSecretAllowedHosts).filter(([, hosts]) => hosts.length > 0),
      ),
    };
  };
}

async function readPolicy(egressProxy: EgressProxyClient, sandboxId: string) {
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
