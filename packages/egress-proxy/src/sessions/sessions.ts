import type { EgressSession } from "@opencomputer/protocol/wire";
import { AwsCredential } from "../aws-signature/aws-credential.ts";
import type { FindPolicy, SessionPolicy } from "../egress-policy/session-policy.ts";
import { createSessionPolicy } from "../egress-policy/session-policy.ts";
import type { BlockScanner } from "../redaction/block-scanner.ts";

/** The sessions of all sandboxes. */
export interface Sessions {
  /** Puts a session into effect, in place of the sandbox's former one. */
  put(session: EgressSession): void;
  get(sandboxId: string): SessionPolicy | undefined;
  /** Ends the session of a sandbox. Returns whether it had one. */
  remove(sandboxId: string): boolean;
  readonly findPolicy: FindPolicy;
  readonly count: number;
}

/**
 * Creates the registry of the sessions in effect, which exists in memory only.
 *
 * An address belongs to one sandbox at a time. When a session claims an
 * address that another sandbox has, the newest owner wins, because the worker
 * gives a slot to one machine at a time and its latest report is the true one;
 * versions show which that is (`session-versions.ts`).
 * The older session ends completely, and `onAddressTaken` reports it.
 *
 * `onAddressReleased` is called when an address loses its owner or passes to
 * another, so that connections of the former owner can be ended, and when a
 * value is revoked that open connections may still send.
 */
export function createSessions(deps: {
  scanner: BlockScanner;
  onAddressReleased: (sourceAddress: string) => void;
  /** Called with each policy that is no longer in effect. */
  onPolicyEnded: (policy: SessionPolicy) => void;
  onAddressTaken: (change: {
    sourceAddress: string;
    formerSandboxId: string;
    sandboxId: string;
  }) => void;
}): Sessions {
  const bySandboxId = new Map<string, SessionPolicy>();
  const bySourceAddress = new Map<string, SessionPolicy>();

  const drop = (policy: SessionPolicy): void => {
    bySandboxId.delete(policy.sandboxId);
    bySourceAddress.delete(policy.sourceAddress);
    deps.onPolicyEnded(policy);
    deps.onAddressReleased(policy.sourceAddress);
  };

  return {
    put(session) {
      const policy = createSessionPolicy(session, deps.scanner);
      const { sandboxId, sourceAddress } = policy;
      const owner = bySourceAddress.get(sourceAddress);
      if (owner !== undefined && owner.sandboxId !== sandboxId) {
        drop(owner);
        deps.onAddressTaken({ sourceAddress, formerSandboxId: owner.sandboxId, sandboxId });
      }
      const former = bySandboxId.get(sandboxId);
      if (former !== undefined && former.sourceAddress !== sourceAddress) drop(former);
      bySandboxId.set(sandboxId, policy);
      bySourceAddress.set(sourceAddress, policy);
      // Where its address changed, it has been dropped.
      if (former?.sourceAddress === sourceAddress) deps.onPolicyEnded(former);
      if (former !== undefined && revokes(session, former)) deps.onAddressReleased(sourceAddress);
    },
    get: (sandboxId) => bySandboxId.get(sandboxId),
    remove(sandboxId) {
      const policy = bySandboxId.get(sandboxId);
      if (policy === undefined) return false;
      drop(policy);
      return true;
    },
    findPolicy: (sourceAddress) => bySourceAddress.get(sourceAddress),
    get count() {
      return bySandboxId.size;
    },
  };
}

/** Whether the former policy could use a revoked value, even if the secret has a new one by now. */
function revokes(
  { secrets, awsSecrets, revokedSecrets, enforcesRevocation }: EgressSession,
  former: SessionPolicy,
): boolean {
  const isRevoked = (token: string) => revokedSecrets.some((revoked) => revoked.token === token);
  const current = awsSecrets.map((secret) => new AwsCredential(secret));
  return (
    former.secrets.some(
      ({ token, value }) =>
        isRevoked(token) ||
        (enforcesRevocation &&
          !secrets.some((secret) => secret.token === token && secret.value === value)),
    ) ||
    former.awsCredentials.some(
      (credential) =>
        isRevoked(credential.accessKeyIdToken) ||
        (enforcesRevocation && !current.some((other) => other.equals(credential))),
    )
  );
}
