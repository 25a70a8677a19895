import { LRUCache } from "lru-cache";
import type { AdmittedGuest } from "./admit-guest.ts";
import { createGuestTls, type GuestTls, type GuestTlsDependencies } from "./guest-tls.ts";

/** Sandboxes and ports whose TLS state is kept; without it a connection costs a full handshake. */
const keptMax = 1024;

/** A sandbox, at an address that another one may have later. */
export type GuestPlace = Pick<AdmittedGuest, "sandboxId" | "sourceAddress">;

/** Returns the TLS of one sandbox at one port of the guest's. */
export type TlsFor = (guest: GuestPlace, port: number) => GuestTls;

/** Creates what keeps the TLS of guests by their sandbox, address and port. */
export function createGuestTlsByPort(deps: GuestTlsDependencies): TlsFor {
  const kept = new LRUCache<string, GuestTls>({ max: keptMax });
  return ({ sandboxId, sourceAddress }, port) => {
    const key = `${sandboxId} ${sourceAddress} ${port}`;
    const known = kept.get(key);
    if (known !== undefined) return known;
    const made = createGuestTls({ sandboxId, sourceAddress, port }, deps);
    kept.set(key, made);
    return made;
  };
}
