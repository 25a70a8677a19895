import { connect, type Socket } from "node:net";

/** A guest may drop packets for a port, which is then reached only through its loopback. */
const timeoutMilliseconds = 1_000;

/**
 * Connects to a port of an address; undefined when no connection is accepted in
 * time. The signal aborts only the opening.
 */
export function connectDirectly(
  host: string,
  port: number,
  signal: AbortSignal,
): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, noDelay: true, allowHalfOpen: true });
    const finish = (result: Socket | undefined) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", giveUp);
      socket.off("error", giveUp);
      resolve(result);
    };
    const giveUp = () => {
      finish(undefined);
      // An error of a connection that is given up does not matter.
      socket.on("error", () => undefined);
      socket.destroy();
    };
    const timer = setTimeout(giveUp, timeoutMilliseconds);
    signal.addEventListener("abort", giveUp);
    socket.once("error", giveUp);
    socket.once("connect", () => finish(socket));
  });
}
