import { createServer, type Server } from "node:net";
import type { Logger } from "pino";
import type { ServeConnection } from "../contract.ts";
import type { AdmitGuest } from "./admit-guest.ts";
import { keepAliveDelayMilliseconds, logSocketError } from "./guest-socket.ts";

/** Accepts what guests send to port 80 and hands each connection on. */
export function createHttpListener(deps: {
  admitGuest: AdmitGuest;
  serveConnection: ServeConnection;
  log: Logger;
}): Server {
  const listener = createServer({
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveDelayMilliseconds,
  });
  listener.on("connection", (socket) => {
    socket.on("error", logSocketError(deps.log));
    const sourceAddress = deps.admitGuest(socket);
    if (sourceAddress === undefined) return;
    void deps.serveConnection({ socket, scheme: "http", sourceAddress, serverName: null });
  });
  return listener;
}
