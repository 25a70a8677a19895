import type { SecretKind } from "@opencomputer/protocol/api";
import { serviceLimits } from "@opencomputer/protocol/wire";
import type { SecretValue } from "../vault/secret-value.ts";

/** A value under its token, with the hosts and placements that it may be used for. */
export interface SecretUse {
  name: string;
  kind: SecretKind;
  token: string;
  value: SecretValue;
  allowedHosts: readonly string[];
  substituteIn: readonly string[];
}

/**
 * A value that a sandbox or a checkpoint could use before and cannot use any more: a
 * host may still hold it, so it is searched for in responses.
 */
export interface FormerSecret extends SecretUse {
  retiredAt: Date;
}

export function isSameUse(one: SecretUse, other: SecretUse): boolean {
  return (
    one.name === other.name &&
    one.kind === other.kind &&
    one.token === other.token &&
    one.value.equals(other.value) &&
    isSameSet(one.allowedHosts, other.allowedHosts) &&
    isSameSet(one.substituteIn, other.substituteIn)
  );
}

/** Chooses the former uses of one owner that are kept: each once, the newest first. */
export function boundFormerSecrets<Former extends FormerSecret>(
  formers: readonly Former[],
  now: Date,
): Former[] {
  const kept: Former[] = [];
  for (const former of formers.toSorted((a, b) => b.retiredAt.getTime() - a.retiredAt.getTime())) {
    if (former.retiredAt <= expiryTime(now)) continue;
    const ofName = kept.filter(({ name }) => name === former.name);
    if (ofName.length >= serviceLimits.formerValuesPerSecretMax) continue;
    if (!ofName.some((one) => isSameUse(one, former))) kept.push(former);
  }
  return kept;
}

/** Values that were retired at this time or earlier are neither kept nor searched for. */
export function expiryTime(now: Date): Date {
  return new Date(now.getTime() - serviceLimits.formerValueSecondsMax * 1000);
}

function isSameSet(some: readonly string[], others: readonly string[]): boolean {
  const [one, other] = [new Set(some), new Set(others)];
  return one.size === other.size && [...one].every((text) => other.has(text));
}
