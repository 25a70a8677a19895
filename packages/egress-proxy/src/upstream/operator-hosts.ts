import type { EgressHost } from "@opencomputer/protocol";
import type { Destination } from "../contract.ts";

export interface OperatorHosts {
  /** The address that the operator gave for a destination; `undefined` when none was given. */
  addressFor(destination: Destination): { address: string; port: number } | undefined;
  /** Whether the operator gave this canonical host an address for any port. */
  has(host: string): boolean;
}

/** The port that a guest asks for when it uses the scheme. */
export const schemePorts = { https: 443, http: 80 } as const;

/** An entry for the very port goes before an entry for all ports; of equals the first counts. */
export function createOperatorHosts(entries: readonly EgressHost[]): OperatorHosts {
  return {
    addressFor({ host, scheme }) {
      const ofHost = entries.filter((entry) => entry.host === host);
      const entry =
        ofHost.find(({ guestPort }) => guestPort === schemePorts[scheme]) ??
        ofHost.find(({ guestPort }) => guestPort === null);
      return entry && { address: entry.address, port: entry.port };
    },
    has: (host) => entries.some((entry) => entry.host === host),
  };
}
