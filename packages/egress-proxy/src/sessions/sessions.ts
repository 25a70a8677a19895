import type { EgressSession } from "@opencomputer/protocol";
import type { FindPolicy, SessionPolicy } from "../contract.ts";
import type { BlockScanner } from "../redaction/block-scanner.ts";
import { createSessionPolicy } from "./session-policy.ts";

export interface Sessions {
  /** Puts a session in force, in the place of the sandbox's former one. */
  put(session: EgressSession): void;
  get(sandboxId: string): SessionPolicy | undefined;
  /** Whether there was a session to remove. */
  remove(sandboxId: string): boolean;
  readonly findPolicy: FindPolicy;
  readonly count: number;
}

/**
 * The sessions in force, in memory only.
 *
 * An address belongs to one sandbox at a time. When a session claims an
 * address that another sandbox holds, the newest owner wins, because the
 * worker gives a slot to one machine at a time and what it says last is true;
 * the older session ends as a whole and `onAddressTaken` tells of it.
 *
 * `onAddressReleased` is called when an address loses its owner or passes to
 * another, so that connections made under the former owner can be ended, and
 * when a value is revoked that connections under way may still send.
 */
export function createSessions(deps: {
  scanner: BlockScanner;
  onAddressReleased: (sourceAddress: string) => void;
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

/** Whether the former policy could use what is revoked, though it may have a new value by now. */
function revokes(
  { secrets, revokedSecrets, enforcesRevocation }: EgressSession,
  former: SessionPolicy,
): boolean {
  return former.secrets.some(
    ({ token, value }) =>
      revokedSecrets.some((revoked) => revoked.token === token) ||
      (enforcesRevocation &&
        !secrets.some((secret) => secret.token === token && secret.value === value)),
  );
}
