import { createServer, type Server as TcpServer } from "node:net";
import type { Server as TlsServer } from "node:tls";
import { LRUCache } from "lru-cache";
import type { AdmitGuest } from "./admit-guest.ts";
import { keepAliveDelayMilliseconds, logSocketError } from "./guest-socket.ts";
import { createGuestTls, type GuestTlsDependencies } from "./guest-tls.ts";

/** Addresses whose TLS state is kept; one that is made again only costs a full handshake. */
const addressesMax = 1024;

/**
 * Accepts the TLS that guests open to port 443, proves the host that they
 * name, and hands the decrypted connection on. Who connects is decided before
 * the handshake costs anything.
 */
export function createTlsListener(
  deps: GuestTlsDependencies & { readonly admitGuest: AdmitGuest },
): TcpServer {
  const tlsByAddress = new LRUCache<string, TlsServer>({ max: addressesMax });
  const tlsFor = (sourceAddress: string): TlsServer => {
    const known = tlsByAddress.get(sourceAddress);
    if (known !== undefined) return known;
    const made = createGuestTls(sourceAddress, deps);
    tlsByAddress.set(sourceAddress, made);
    return made;
  };

  const listener = createServer({
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveDelayMilliseconds,
  });
  listener.on("connection", (socket) => {
    socket.on("error", logSocketError(deps.log));
    const sourceAddress = deps.admitGuest(socket);
    if (sourceAddress !== undefined) tlsFor(sourceAddress).emit("connection", socket);
  });
  return listener;
}
