import { isIP } from "node:net";
import type { JudgeAddress } from "@opencomputer/process";
import { type Destination, DialError, splitHost } from "./destination.ts";
import type { OperatorHosts } from "./operator-hosts.ts";

/** An address that has been checked: dialled unchanged, never resolved again. */
export interface CheckedAddress {
  readonly address: string;
  readonly port: number;
}

/** Most addresses of one name that are tried. */
export const addressesMax = 6;

/** What choosing addresses needs from its surroundings. */
export interface ChooseAddressesDependencies {
  readonly operatorHosts: OperatorHosts;
  /** Every address of a canonical host, IPv4 first. Rejects with `DialError` only. */
  readonly resolveHost: (host: string, signal: AbortSignal) => Promise<readonly string[]>;
  readonly judgeAddress: JudgeAddress;
  readonly isOwnAddress: (address: string) => boolean;
}

/**
 * Chooses the addresses at which a destination may be dialled: the operator's
 * when there is one, private or not; otherwise what its name resolves to,
 * without addresses that are not on the public internet or that the operator denies.
 *
 * Rejects with `DialError`: `name_not_resolved`, or `address_refused` when
 * no address is left.
 */
export async function chooseAddresses(
  deps: ChooseAddressesDependencies,
  destination: Destination,
  signal: AbortSignal,
): Promise<readonly CheckedAddress[]> {
  const { name, port } = splitHost(destination);
  const mapped = deps.operatorHosts.addressFor(destination);
  if (mapped !== undefined) return [mapped];

  const found = isIP(name) === 0 ? await deps.resolveHost(name, signal) : [name];
  const checked: CheckedAddress[] = [];
  const refusals = new Set<string>();
  for (const text of found) {
    const { address, refusal } = checkAddress(deps, text);
    if (refusal === undefined) checked.push({ address, port });
    else refusals.add(refusal);
  }
  if (checked.length > 0) return checked.slice(0, addressesMax);
  throw notPublic(name, `its address is ${[...refusals].slice(0, addressesMax).join(", ")}`);
}

/** Checks one address in any spelling: the address to dial, and why it may not be. */
export function checkAddress(
  deps: Pick<ChooseAddressesDependencies, "judgeAddress" | "isOwnAddress">,
  text: string,
): { readonly address: string; readonly refusal?: string } {
  const verdict = deps.judgeAddress(text);
  if (!verdict.allowed) return { address: text, refusal: `${text} (${verdict.range})` };
  const { address } = verdict;
  return deps.isOwnAddress(address) ? { address, refusal: `${text} (this host)` } : { address };
}

/** The refusal of a host that is not on the public internet. */
export function notPublic(host: string, reason: string): DialError {
  return new DialError(
    "address_refused",
    `${host} is not on the public internet: ${reason}. An operator can open it with OPENCOMPUTER_EGRESS_HOSTS`,
  );
}
