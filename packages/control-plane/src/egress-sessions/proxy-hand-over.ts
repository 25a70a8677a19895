import { WireError } from "@opencomputer/protocol/api";
import type { EgressSession } from "@opencomputer/protocol/wire";
import type { CertificateAuthority } from "../certificate-authority/make-certificate-authority.ts";
import { PerKeyMutex } from "../concurrency/per-key-mutex.ts";
import type { Database } from "../database/database.ts";
import type { EgressProxyClient } from "../egress-proxy/egress-proxy-client.ts";
import type { FormerSecretRepository } from "../former-secrets/former-secret-repository.ts";
import { PeerAbsentError } from "../peers/unix-socket-client.ts";
import type { SandboxRepository } from "../sandboxes/rows/sandbox-repository.ts";
import { KeyRingError } from "../vault/key-ring.ts";
import { type Vault, VaultError } from "../vault/vault.ts";
import type { Workers } from "../worker/workers.ts";
import {
  toAwsEgressSecret,
  toEgressSecret,
  toFormerSecrets,
  toRevokedSecrets,
} from "./egress-secrets.ts";

/** How often a session that the proxy refuses as stale is read again. */
const attemptsMax = 5;

/**
 * A value of the sandbox cannot be decrypted while a revocation must be enforced:
 * it was enforced by removing the session.
 */
export class SessionWithheldError extends Error {
  constructor(sandboxId: string, cause: Error) {
    super(
      `Sandbox ${sandboxId} has no network: a revocation had to be enforced, and its session cannot be built again: ${cause.message}`,
      { cause },
    );
    this.name = "SessionWithheldError";
  }
}

/**
 * Gives the proxy what it needs to know: the one place where secrets leave
 * the control plane. A session is read from the database after its version is
 * counted there, under a mutex of its sandbox: so a hand-over never brings
 * back an older value or a killed sandbox. The end of a session has a version, too: one that
 * is late does not end a later session.
 */
export interface ProxyHandOver {
  putCertificateAuthority(egressProxy: EgressProxyClient): Promise<void>;
  /**
   * Hands the current state of a sandbox over; takes the session away from one
   * that no longer lives or has no slot.
   *
   * @returns whether the sandbox has a session.
   * @throws {SessionWithheldError | VaultError | KeyRingError}
   */
  putSession(orgId: string, sandboxId: string): Promise<boolean>;
  /** Takes the session away, whichever proxy holds it. A proxy that does not run holds none. */
  removeSession(sandboxId: string): Promise<void>;
}

export function createProxyHandOver(deps: {
  database: Database;
  sandboxes: SandboxRepository;
  vault: Vault;
  formerSecrets: FormerSecretRepository;
  certificateAuthority: CertificateAuthority;
  workers: Workers;
}): ProxyHandOver {
  const { database, sandboxes, vault, formerSecrets, certificateAuthority, workers } = deps;
  const mutex = new PerKeyMutex();

  async function readSession(
    orgId: string,
    sandboxId: string,
  ): Promise<{ session: EgressSession; pendingRevocation: string | null } | undefined> {
    const sandbox = await sandboxes.countHandOver(orgId, sandboxId);
    if (sandbox === undefined) return undefined;
    const { sessionVersion: version, machineId, sourceAddress, egressMode: mode } = sandbox;
    const { egressAllowlist, pendingRevocation } = sandbox;
    if (machineId === null || sourceAddress === null) return undefined;
    const copies = (await sandboxes.listSecrets(orgId, sandboxId)).map((copy) => {
      const context = { kind: "sandbox-secret", orgId, sandboxId, name: copy.name } as const;
      return { ...copy, value: vault.decrypt(copy, context) };
    });
    const usable = copies.filter(({ revokedAt }) => revokedAt === null);
    const revoked = copies.filter(({ revokedAt }) => revokedAt !== null);
    // Read after the values in use: what is retired in between is in both, not in neither.
    const owner = { kind: "sandbox", orgId, ids: [sandboxId] } as const;
    const formers = await formerSecrets.list(database, owner, new Date());
    // Read after the values too: one that was revoked and set again meanwhile is not overlooked.
    const enforcesRevocation = (await findPendingRevocation(orgId, sandboxId)) !== null;
    const session = {
      ...{ sandboxId, version, machineId, sourceAddress, mode, egressAllowlist },
      secrets: usable.filter(({ kind }) => kind === "value").map(toEgressSecret),
      awsSecrets: usable.filter(({ kind }) => kind === "aws").map(toAwsEgressSecret),
      formerSecrets: [...revoked, ...formers].flatMap(toFormerSecrets),
      revokedSecrets: revoked.flatMap(toRevokedSecrets),
      enforcesRevocation,
    };
    return { session, pendingRevocation };
  }

  /** As {@link readSession}; what cannot be read does not keep a revoked value in use. */
  async function readOrWithhold(orgId: string, sandboxId: string) {
    try {
      return await readSession(orgId, sandboxId);
    } catch (error) {
      if (!(error instanceof VaultError || error instanceof KeyRingError)) throw error;
      const pendingRevocation = await findPendingRevocation(orgId, sandboxId);
      if (pendingRevocation === null) throw error;
      await withhold(orgId, sandboxId, pendingRevocation);
      throw new SessionWithheldError(sandboxId, error);
    }
  }

  async function findPendingRevocation(orgId: string, sandboxId: string): Promise<string | null> {
    return (await sandboxes.find(orgId, sandboxId))?.pendingRevocation ?? null;
  }

  /** Takes away the session of a sandbox that gets none now, which enforces what is revoked. */
  async function withhold(
    orgId: string,
    sandboxId: string,
    pendingRevocation: string | null,
  ): Promise<void> {
    await remove(sandboxId, await sandboxes.nextSessionVersion());
    if (pendingRevocation !== null) {
      await sandboxes.acknowledgeRevocation(orgId, sandboxId, pendingRevocation);
    }
  }

  const proxiesOf = (sandboxId: string) => workers.of({ id: sandboxId }).egressProxies;

  /** Takes sessions up to a version away from each proxy but the one that it is to be handed to. */
  async function remove(
    sandboxId: string,
    version: number,
    kept?: EgressProxyClient,
  ): Promise<void> {
    const others = proxiesOf(sandboxId).all.filter((egressProxy) => egressProxy !== kept);
    await Promise.all(
      others.map(async (egressProxy) => {
        try {
          await egressProxy.endSession(sandboxId, version);
        } catch (error) {
          if (!(error instanceof PeerAbsentError)) throw error;
        }
      }),
    );
  }

  async function put(orgId: string, sandboxId: string, attempt = 1): Promise<boolean> {
    const read = await readOrWithhold(orgId, sandboxId);
    if (read === undefined) {
      await withhold(orgId, sandboxId, await findPendingRevocation(orgId, sandboxId));
      return false;
    }
    const { session, pendingRevocation } = read;
    try {
      const egressProxy = proxiesOf(sandboxId).of(session);
      // In a new slot the sandbox may have another proxy than before.
      await remove(sandboxId, session.version, egressProxy);
      await egressProxy.putSession(session);
      if (pendingRevocation !== null) {
        await sandboxes.acknowledgeRevocation(orgId, sandboxId, pendingRevocation);
      }
      return true;
    } catch (error) {
      if (!(error instanceof WireError) || error.code !== "stale_session") throw error;
      if (attempt < attemptsMax) return put(orgId, sandboxId, attempt + 1);
      throw new WireError(
        "internal_error",
        `The egress proxy holds a newer session of sandbox ${sandboxId} than version ${session.version} of the database: restart the egress proxy, which is filled from the database`,
        { cause: error },
      );
    }
  }

  return {
    putCertificateAuthority: (egressProxy) =>
      egressProxy.putCertificateAuthority({
        certificatePem: certificateAuthority.certificatePem,
        privateKeyPem: certificateAuthority.privateKeyPem.reveal(),
      }),

    putSession: (orgId, sandboxId) => mutex.run(sandboxId, () => put(orgId, sandboxId)),

    removeSession: (sandboxId) =>
      mutex.run(sandboxId, async () => remove(sandboxId, await sandboxes.nextSessionVersion())),
  };
}
