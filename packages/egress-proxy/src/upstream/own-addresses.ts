import { networkInterfaces } from "node:os";

/** How long the list of interfaces is believed. */
const refreshMilliseconds = 5_000;

/**
 * Tells the addresses of this host. A service of the host that listens on a
 * public address of its own is as much out of a guest's reach as one that
 * listens on a private address.
 */
export function createIsOwnAddress(deps: { now: () => number }): (address: string) => boolean {
  let addresses = new Set<string>();
  let readAtMilliseconds = Number.NEGATIVE_INFINITY;

  return (address) => {
    const now = deps.now();
    if (now - readAtMilliseconds >= refreshMilliseconds) {
      readAtMilliseconds = now;
      const interfaces = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
      addresses = new Set(interfaces.map((entry) => entry.address));
    }
    return addresses.has(address);
  };
}
