import type { Socket } from "node:net";
import { AddressConnections, type ConnectionLimits } from "./address-connections.ts";
import type { Admission } from "./admission.ts";

/** Counts and ends guests' connections. */
export interface ConnectionTable {
  /**
   * Counts a connection for its source address until it closes. Undefined when
   * the address has reached its limit: the caller has to reset it.
   */
  admit(sourceAddress: string, socket: Socket): Admission | undefined;
  /** Ends every connection of an address immediately. */
  destroyAllOf(sourceAddress: string): void;
  destroyAll(): void;
  readonly count: number;
}

/** Creates a table of guests' open connections, by source address. Nothing is shared between addresses. */
export function createConnectionTable(deps: {
  readonly limits: ConnectionLimits;
  /** Milliseconds that never go back. */
  readonly now: () => number;
}): ConnectionTable {
  const connectionsByAddress = new Map<string, AddressConnections>();

  const connectionsOf = (sourceAddress: string): AddressConnections => {
    const known = connectionsByAddress.get(sourceAddress);
    if (known !== undefined) return known;
    const made = new AddressConnections({
      ...deps,
      onEmpty: () => connectionsByAddress.delete(sourceAddress),
    });
    connectionsByAddress.set(sourceAddress, made);
    return made;
  };

  return {
    admit: (sourceAddress, socket) => connectionsOf(sourceAddress).admit(socket),
    destroyAllOf(sourceAddress) {
      connectionsByAddress.get(sourceAddress)?.destroyAll();
    },
    destroyAll() {
      for (const connections of connectionsByAddress.values()) connections.destroyAll();
    },
    get count() {
      let count = 0;
      for (const connections of connectionsByAddress.values()) count += connections.count;
      return count;
    },
  };
}
