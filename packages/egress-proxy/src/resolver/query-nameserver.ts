import { createSocket } from "node:dgram";
import { connect, isIPv6 } from "node:net";
import type { DecodedPacket } from "dns-packet";
import { createMessageFrames, frameMessage } from "./message-frames.ts";

/** One question to one nameserver. */
export interface NameserverQuery {
  readonly message: Buffer;
  readonly address: string;
  readonly port: number;
  readonly timeoutMilliseconds: number;
  readonly signal: AbortSignal;
  /** Decodes a message that is a response to this question; `undefined` for any other. */
  readonly accept: (message: Buffer) => DecodedPacket | undefined;
}

const responseBytesMax = 65_535;

/**
 * Sends a query over UDP, from a port that the kernel chooses at random for
 * this question alone. The socket is connected, so packets from elsewhere do
 * not arrive. Other messages are ignored until the time is up. Resolves to
 * `undefined` when no response came.
 */
export function queryOverUdp(query: NameserverQuery): Promise<DecodedPacket | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(query.address) ? "udp6" : "udp4");
    let finished = false;
    const finish = (response?: DecodedPacket): void => {
      if (finished) return;
      finished = true;
      clearTimeout(timer);
      query.signal.removeEventListener("abort", giveUp);
      socket.off("message", take);
      socket.close();
      resolve(response);
    };
    const giveUp = (): void => finish();
    const take = (message: Buffer): void => {
      const response = query.accept(message);
      if (response !== undefined) finish(response);
    };
    const timer = setTimeout(giveUp, query.timeoutMilliseconds);
    query.signal.addEventListener("abort", giveUp, { once: true });
    socket.on("error", giveUp);
    socket.on("message", take);
    socket.once("connect", () => socket.send(query.message));
    socket.connect(query.port, query.address);
  });
}

/** Sends a query over TCP (RFC 7766). Resolves to `undefined` when no response came. */
export function queryOverTcp(query: NameserverQuery): Promise<DecodedPacket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: query.address, port: query.port });
    const frames = createMessageFrames({ messageBytesMax: responseBytesMax });
    const finish = (response?: DecodedPacket): void => {
      clearTimeout(timer);
      query.signal.removeEventListener("abort", giveUp);
      socket.destroy();
      resolve(response);
    };
    const giveUp = (): void => finish();
    const timer = setTimeout(giveUp, query.timeoutMilliseconds);
    query.signal.addEventListener("abort", giveUp, { once: true });
    socket.on("error", giveUp);
    socket.once("close", giveUp);
    socket.once("connect", () => socket.write(frameMessage(query.message)));
    socket.on("data", (chunk: Buffer) => {
      const [message] = frames.push(chunk) ?? [];
      if (message !== undefined) finish(query.accept(message));
    });
  });
}
