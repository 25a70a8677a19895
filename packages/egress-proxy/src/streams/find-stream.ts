import {
  decideByAddress,
  decideByNames,
  type StreamDecision,
} from "../egress-policy/decide-stream.ts";
import type { SessionPolicy } from "../egress-policy/session-policy.ts";
import { type GivenNames, usualAliasOf } from "../resolver/given-names.ts";
import { DialError } from "../upstream/destination.ts";

export interface FindStreamDependencies {
  readonly givenNames: GivenNames;
  /** Every address of a canonical host. Rejects with `DialError` only. */
  readonly resolveHost: (host: string, signal: AbortSignal) => Promise<readonly string[]>;
}

/** Most names that are resolved to recognize an address that this proxy did not give. */
const resolvedNamesMax = 16;

/**
 * Finds the name that a sandbox's connection to an address is meant for, and
 * returns what is decided by it. A stream is meant for the name that the address
 * was given for; after a restart of the proxy and in a fork, for the one name of
 * the allowlist that has the address now. An address alone opens nothing.
 */
export async function findStream(
  deps: FindStreamDependencies,
  policy: SessionPolicy,
  { address, port }: { address: string; port: number },
  signal: AbortSignal,
): Promise<StreamDecision> {
  const { sandboxId } = policy;
  const names = deps.givenNames.namesAt(sandboxId, address);
  const decision = decideByNames(policy, names, port);
  if (decision !== undefined) return decision;
  const found = await findByAddress(deps, policy, address, port, signal);
  if (found !== undefined) deps.givenNames.record(sandboxId, found, [address]);
  return decideByAddress(policy, { address, port, names, found });
}

async function findByAddress(
  deps: FindStreamDependencies,
  { otherPorts }: SessionPolicy,
  address: string,
  port: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const candidates = otherPorts.exactStreamHosts(port).slice(0, resolvedNamesMax);
  const alias = candidates.find((name) => usualAliasOf(name) === address);
  if (alias !== undefined) return alias;
  const isMeant = await Promise.all(
    candidates.map(async (name) => (await addressesOf(deps, name, signal)).includes(address)),
  );
  return candidates.find((_, index) => isMeant[index] === true);
}

async function addressesOf(
  deps: FindStreamDependencies,
  name: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  try {
    return await deps.resolveHost(name, signal);
  } catch (error) {
    // A name that has no address is not what the address is meant for.
    if (error instanceof DialError) return [];
    throw error;
  }
}
