import type { Socket } from "node:net";

export interface ConnectionTable {
  /**
   * Counts a connection for its source address until it closes. False when
   * the address holds as many as it may: the caller has to reset it.
   */
  admit(sourceAddress: string, socket: Socket): boolean;
  /** Ends every connection of an address at once. */
  destroyAllOf(sourceAddress: string): void;
  destroyAll(): void;
  readonly count: number;
}

/** The open connections of guests, by source address. */
export function createConnectionTable(options: { perAddressMax: number }): ConnectionTable {
  const socketsByAddress = new Map<string, Set<Socket>>();

  const destroyAllOf = (sourceAddress: string): void => {
    for (const socket of socketsByAddress.get(sourceAddress) ?? []) socket.destroy();
  };

  return {
    admit(sourceAddress, socket) {
      const sockets = socketsByAddress.get(sourceAddress) ?? new Set();
      if (sockets.size >= options.perAddressMax) return false;
      socketsByAddress.set(sourceAddress, sockets.add(socket));
      socket.once("close", () => {
        sockets.delete(socket);
        if (sockets.size === 0 && socketsByAddress.get(sourceAddress) === sockets) {
          socketsByAddress.delete(sourceAddress);
        }
      });
      return true;
    },
    destroyAllOf,
    destroyAll() {
      for (const sourceAddress of socketsByAddress.keys()) destroyAllOf(sourceAddress);
    },
    get count() {
      let count = 0;
      for (const sockets of socketsByAddress.values()) count += sockets.size;
      return count;
    },
  };
}
