import { createServer, type Server, type Socket } from "node:net";
import type { Logger } from "pino";
import { schemePorts } from "../upstream/destination.ts";
import { probeWhenSilent } from "../upstream/probe-when-silent.ts";
import type { AdmittedGuest } from "./admit-guest.ts";
import type { ServeConnection } from "./guest-connection.ts";
import { logSocketError } from "./guest-connection.ts";

/** Creates the server for port 80, which passes each guest's connection on. */
export function createHttpListener(deps: {
  admitGuest: (socket: Socket) => AdmittedGuest | undefined;
  serveConnection: ServeConnection;
  log: Logger;
}): Server {
  const listener = createServer({ allowHalfOpen: true, noDelay: true });
  listener.on("connection", (socket) => {
    socket.on("error", logSocketError(deps.log));
    const admitted = deps.admitGuest(socket);
    if (admitted === undefined) return;
    probeWhenSilent(socket);
    void deps.serveConnection({
      socket,
      scheme: "http",
      port: schemePorts.http,
      serverName: null,
      protocol: "http/1.1",
      ...admitted,
    });
  });
  return listener;
}
