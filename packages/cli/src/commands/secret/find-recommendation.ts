import {
  type ConnectionOptions,
  OpenComputerError,
  recommendPlacement,
  type SecretEntry,
} from "@opencomputer/sdk";
import type { SecretOwner } from "./secret-owner.ts";

/** The limits that the caller passed for a secret; undefined leaves one unchanged. */
export interface ChosenLimits {
  allowedHosts: readonly string[] | undefined;
  substituteIn: readonly string[] | undefined;
}

/**
 * Recommends flags that limit a secret, which was just set, to what its
 * well-known service needs. It never recommends a flag that the caller passed.
 */
export async function findRecommendation(
  owner: SecretOwner,
  id: string,
  name: string,
  chosen: ChosenLimits,
  connection: ConnectionOptions,
): Promise<string | undefined> {
  if (chosen.allowedHosts !== undefined && chosen.substituteIn !== undefined) return undefined;
  const entry = await findEntry(owner, id, name, connection);
  const allowedHosts = entry?.allowedHosts ?? chosen.allowedHosts ?? [];
  const recommended = recommendPlacement(name, allowedHosts);
  if (recommended === undefined) return undefined;

  const { hosts, substituteIn } = recommended;
  const flags: string[] = [];
  if (chosen.allowedHosts === undefined && allowedHosts.length === 0) {
    flags.push(...hosts.map((host) => `--allowed-hosts ${host}`));
  }
  const isNarrow = entry?.substituteIn.every(
    (placement) => placement.startsWith("header") || substituteIn.includes(placement),
  );
  const narrows = chosen.substituteIn === undefined && isNarrow !== true;
  if (narrows) flags.push(`--in ${substituteIn.join(",")}`);
  if (flags.length === 0) return undefined;
  const reason = narrows
    ? "a token that an agent writes into content there then stays a token"
    : "no other host then receives the value";
  return `Recommended for ${hosts.join(", ")}: ${flags.join(" ")} (${reason})`;
}

/** The limits that apply to a secret; undefined when they cannot be read. */
async function findEntry(
  owner: SecretOwner,
  id: string,
  name: string,
  connection: ConnectionOptions,
): Promise<SecretEntry | undefined> {
  try {
    const secrets = await owner.listSecretEntries(id, connection);
    return secrets.find((secret) => secret.name === name);
  } catch (error) {
    // The secret was set, which a failure here must not hide.
    if (error instanceof OpenComputerError) return undefined;
    throw error;
  }
}
