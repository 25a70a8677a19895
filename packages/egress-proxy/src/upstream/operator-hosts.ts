import type { EgressHost } from "@opencomputer/protocol/wire";
import { type Destination, splitHost } from "./destination.ts";

/** The addresses that the operator gave to hosts. */
export interface OperatorHosts {
  /** The address that the operator gave for a destination; `undefined` when none was given. */
  addressFor(destination: Destination): { address: string; port: number } | undefined;
  /** Whether the operator gave this canonical host an address for any port. */
  has(host: string): boolean;
}

/** The ports of an entry that names none. */
const commonPorts: ReadonlySet<number> = new Set([80, 443]);

/** Creates the table. An entry for the exact port takes precedence over one without a port; of equal ones, the first. */
export function createOperatorHosts(entries: readonly EgressHost[]): OperatorHosts {
  return {
    addressFor(destination) {
      const { name, port } = splitHost(destination);
      const ofHost = entries.filter((entry) => entry.host === name);
      const entry =
        ofHost.find(({ guestPort }) => guestPort === port) ??
        ofHost.find(({ guestPort }) => guestPort === null && commonPorts.has(port));
      return entry && { address: entry.address, port: entry.port };
    },
    has: (host) => entries.some((entry) => entry.host === host),
  };
}
