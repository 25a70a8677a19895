import { LRUCache } from "lru-cache";
import { createGuestTls, type GuestTls, type GuestTlsDependencies } from "./guest-tls.ts";

/** Addresses and ports whose TLS state is kept; without it a connection costs a full handshake. */
const keptMax = 1024;

/** Returns the TLS of one source address at one port of the guest's. */
export type TlsFor = (sourceAddress: string, port: number) => GuestTls;

/** Creates what keeps the TLS of guests by their address and port. */
export function createGuestTlsByPort(deps: GuestTlsDependencies): TlsFor {
  const kept = new LRUCache<string, GuestTls>({ max: keptMax });
  return (sourceAddress, port) => {
    const key = `${sourceAddress} ${port}`;
    const known = kept.get(key);
    if (known !== undefined) return known;
    const made = createGuestTls({ sourceAddress, port }, deps);
    kept.set(key, made);
    return made;
  };
}
