import { isIP } from "node:net";
import { type Destination, DialError } from "../contract.ts";
import { type OperatorHosts, schemePorts } from "./operator-hosts.ts";
import type { JudgeAddress } from "./public-address.ts";
import type { ResolveHost } from "./resolve-host.ts";

/** An address that has been checked: dialled as it stands, never resolved again. */
export interface CheckedAddress {
  readonly address: string;
  readonly port: number;
}

/** More addresses of one name than this are not tried. */
const addressesMax = 6;

/**
 * The addresses that a destination may be dialled at: the operator's when
 * there is one, private or not; otherwise what its name resolves to, without
 * the addresses that are not on the public internet or that the operator denies.
 *
 * Rejects with `DialError`: `name_not_resolved`, or `address_refused` when
 * no address is left.
 */
export async function chooseAddresses(
  deps: {
    operatorHosts: OperatorHosts;
    resolveHost: ResolveHost;
    judgeAddress: JudgeAddress;
    isOwnAddress: (address: string) => boolean;
  },
  destination: Destination,
  signal: AbortSignal,
): Promise<readonly CheckedAddress[]> {
  const { host, scheme } = destination;
  const mapped = deps.operatorHosts.addressFor(destination);
  if (mapped !== undefined) return [mapped];

  const found = isIP(host) === 0 ? await deps.resolveHost(host, signal) : [host];
  const checked: CheckedAddress[] = [];
  const refusals = new Set<string>();
  for (const text of found) {
    const verdict = deps.judgeAddress(text);
    if (!verdict.allowed) refusals.add(`${text} (${verdict.range})`);
    else if (deps.isOwnAddress(verdict.address)) refusals.add(`${text} (this host)`);
    else checked.push({ address: verdict.address, port: schemePorts[scheme] });
  }
  if (checked.length > 0) return checked.slice(0, addressesMax);
  throw new DialError(
    "address_refused",
    `${host} is not on the public internet: its address is ${[...refusals].slice(0, addressesMax).join(", ")}. ` +
      "An operator can open it with OPENCOMPUTER_EGRESS_HOSTS",
  );
}
