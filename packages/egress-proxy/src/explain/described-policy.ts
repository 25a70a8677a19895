import { randomBytes } from "node:crypto";
import {
  type DescribedSession,
  type EgressSession,
  sealedTokenFrom,
} from "@opencomputer/protocol/wire";
import { createSessionPolicy, type SessionPolicy } from "../egress-policy/session-policy.ts";
import { BlockScanner } from "../redaction/block-scanner.ts";
import { checkSession } from "../sessions/check-session.ts";

/** A value that is never sent, too short to be searched for. */
const noValue = "-";

/**
 * Creates the policy that a session of this description will have. Its tokens and values
 * stand for nothing: it can be asked, and nothing is served under it.
 *
 * @throws {WireError} as {@link checkSession}
 */
export function describedPolicy({
  mode,
  egressAllowlist,
  secrets,
  revokedSecrets,
}: DescribedSession): SessionPolicy {
  const token = () => sealedTokenFrom(randomBytes(16));
  const tokenWithValue = () => ({ token: token(), value: noValue });
  const limitsOf = ({ name, allowedHosts, substituteIn }: DescribedSession["secrets"][number]) => ({
    ...{ name, allowedHosts, substituteIn },
  });
  const ofKind = (kind: "value" | "aws") => secrets.filter((secret) => secret.kind === kind);
  const session: EgressSession = {
    sandboxId: "",
    machineId: "",
    sourceAddress: "",
    version: 1,
    ...{ mode, egressAllowlist },
    secrets: ofKind("value").map((secret) => ({ ...limitsOf(secret), ...tokenWithValue() })),
    awsSecrets: ofKind("aws").map((secret) => ({
      ...limitsOf(secret),
      accessKeyId: tokenWithValue(),
      secretAccessKey: tokenWithValue(),
      sessionToken: { token: token(), value: null },
    })),
    formerSecrets: [],
    revokedSecrets: revokedSecrets.map((name) => ({ name, token: token() })),
    enforcesRevocation: false,
  };
  checkSession(session);
  return createSessionPolicy(session, new BlockScanner());
}
