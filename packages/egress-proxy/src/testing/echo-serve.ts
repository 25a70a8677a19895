import { once } from "node:events";
import type { GuestConnection, ServeConnection } from "../contract.ts";

/** A stand-in for the data path: answers each request with what the listener told of its connection. */
export function createEchoServe(served: GuestConnection[] = []): ServeConnection {
  return async (connection) => {
    served.push(connection);
    connection.socket.on("data", () => {
      const { scheme, sourceAddress, serverName } = connection;
      connection.socket.write(`${JSON.stringify({ scheme, sourceAddress, serverName })}\n`);
    });
    connection.socket.on("end", () => connection.socket.end());
    await once(connection.socket, "close");
  };
}
