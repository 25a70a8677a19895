import type { GuestConnection, ServeConnection } from "../contract.ts";

/** A stand-in for the data path: answers each chunk with what the listener told of its connection. */
export function createEchoServe(served: GuestConnection[] = []): ServeConnection {
  return (connection) => {
    const { socket, scheme, sourceAddress, serverName } = connection;
    served.push(connection);
    socket.on("data", () => {
      socket.write(`${JSON.stringify({ scheme, sourceAddress, serverName })}\n`);
    });
    socket.on("end", () => socket.end());
    return new Promise((resolve) => socket.once("close", () => resolve()));
  };
}
