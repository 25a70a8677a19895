import { type IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** A response on a connection that the HTTP server has given away; it ends with it. */
export function openUpgradeResponse(request: IncomingMessage): ServerResponse {
  const response = new ServerResponse(request);
  const socket: Socket = request.socket;
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  // node:http has taken this away from the connection, too.
  socket.on("drain", () => {
    if (!response.writableEnded) response.emit("drain");
  });
  response.once("finish", () => socket.destroySoon());
  // Its end was reported before the response could listen for it.
  if (socket.destroyed) response.destroy();
  return response;
}
