import { createServer, type Server, type Socket } from "node:net";
import type { Logger } from "pino";
import { schemePorts } from "../upstream/destination.ts";
import { probeWhenSilent } from "../upstream/probe-when-silent.ts";
import type { AdmittedGuest } from "./admit-guest.ts";
import { logSocketError } from "./guest-connection.ts";
import type { TlsFor } from "./guest-tls-by-port.ts";

/**
 * Creates the server for port 443: it terminates guests' TLS with a certificate
 * for the host that they name, and passes the decrypted connection on. A
 * connection is admitted before the handshake costs anything.
 */
export function createTlsListener(deps: {
  readonly admitGuest: (socket: Socket) => AdmittedGuest | undefined;
  readonly tlsFor: TlsFor;
  readonly log: Logger;
}): Server {
  const listener = createServer({ noDelay: true });
  listener.on("connection", (socket) => {
    socket.on("error", logSocketError(deps.log));
    const admitted = deps.admitGuest(socket);
    if (admitted === undefined) return;
    probeWhenSilent(socket);
    deps.tlsFor(admitted, schemePorts.https).accept(socket, admitted);
  });
  return listener;
}
