import type { EgressSession } from "@opencomputer/protocol";
import type { CertificateAuthority } from "../certificate-authority/make-certificate-authority.ts";
import { createKeyedLock } from "../sandboxes/keyed-lock.ts";
import type { SandboxRepository } from "../sandboxes/sandbox-repository.ts";
import { liveStates } from "../sandboxes/sandbox-states.ts";
import { PeerAbsentError } from "../unix-socket-client.ts";
import type { Vault } from "../vault/vault.ts";
import type { EgressProxyClient } from "./egress-proxy-client.ts";

/**
 * Gives the proxy what it needs to know: the one place where secrets leave
 * the control plane. A session is read from the database under a lock of its
 * sandbox, so a hand-over never brings back an older value or a killed sandbox.
 */
export interface ProxyHandOver {
  putCertificateAuthority(): Promise<void>;
  /**
   * Hands the current state of a sandbox over.
   *
   * @returns false when the sandbox no longer lives or has no slot yet.
   */
  putSession(orgId: string, sandboxId: string): Promise<boolean>;
  /** Takes the session away. A proxy that does not run holds none. */
  removeSession(sandboxId: string): Promise<void>;
}

export function createProxyHandOver(deps: {
  sandboxes: SandboxRepository;
  vault: Vault;
  certificateAuthority: CertificateAuthority;
  egressProxy: EgressProxyClient;
}): ProxyHandOver {
  const { sandboxes, vault, certificateAuthority, egressProxy } = deps;
  const lock = createKeyedLock();

  async function readSession(orgId: string, sandboxId: string): Promise<EgressSession | undefined> {
    const sandbox = await sandboxes.find(orgId, sandboxId);
    if (sandbox === undefined || sandbox.sourceAddress === null) return undefined;
    if (!liveStates.includes(sandbox.state)) return undefined;
    const secrets = await sandboxes.listSecrets(orgId, sandboxId);
    return {
      sandboxId,
      sourceAddress: sandbox.sourceAddress,
      mode: sandbox.egressMode,
      egressAllowlist: sandbox.egressAllowlist,
      secrets: secrets.map((secret) => ({
        name: secret.name,
        token: secret.token,
        value: vault
          .open(secret, { kind: "sandbox-secret", orgId, sandboxId, name: secret.name })
          .reveal(),
        allowedHosts: secret.allowedHosts,
      })),
    };
  }

  return {
    putCertificateAuthority: () =>
      egressProxy.putCertificateAuthority({
        certificatePem: certificateAuthority.certificatePem,
        privateKeyPem: certificateAuthority.privateKeyPem.reveal(),
      }),

    putSession: (orgId, sandboxId) =>
      lock.run(sandboxId, async () => {
        const session = await readSession(orgId, sandboxId);
        if (session === undefined) return false;
        await egressProxy.putSession(session);
        return true;
      }),

    removeSession: (sandboxId) =>
      lock.run(sandboxId, async () => {
        try {
          await egressProxy.deleteSession(sandboxId);
        } catch (error) {
          if (!(error instanceof PeerAbsentError)) throw error;
        }
      }),
  };
}
