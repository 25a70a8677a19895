import { connect, type Socket } from "node:net";

/** A guest may drop what arrives for a port: its loopback is then the only way. */
const timeoutMilliseconds = 1_000;

/**
 * A connection to a port of an address; undefined when nobody accepts one there
 * in time. The signal is for the opening alone.
 */
export function connectStraight(
  host: string,
  port: number,
  signal: AbortSignal,
): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, noDelay: true, allowHalfOpen: true });
    const settle = (result: Socket | undefined) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", giveUp);
      socket.off("error", giveUp);
      resolve(result);
    };
    const giveUp = () => {
      settle(undefined);
      // What it has to say of its end is of no use to anyone.
      socket.on("error", () => undefined);
      socket.destroy();
    };
    const timer = setTimeout(giveUp, timeoutMilliseconds);
    signal.addEventListener("abort", giveUp);
    socket.once("error", giveUp);
    socket.once("connect", () => settle(socket));
  });
}
