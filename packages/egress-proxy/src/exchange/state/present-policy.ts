import type { FindPolicy, SessionPolicy } from "../../egress-policy/session-policy.ts";
import type { GuestConnection } from "../../listeners/guest-connection.ts";

/**
 * Returns the policy in effect of the sandbox that opened a connection. Undefined once
 * it has no session, also if another sandbox has its address by then.
 */
export function presentPolicy(
  { findPolicy }: { readonly findPolicy: FindPolicy },
  { sourceAddress, sandboxId }: Pick<GuestConnection, "sourceAddress" | "sandboxId">,
): SessionPolicy | undefined {
  const policy = findPolicy(sourceAddress);
  return policy?.sandboxId === sandboxId ? policy : undefined;
}
