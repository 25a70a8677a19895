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
  /** The answer that a message is, or `undefined` when it is none to this question. */
  readonly accept: (message: Buffer) => DecodedPacket | undefined;
}

const answerBytesMax = 65_535;

/**
 * Asks over UDP from a port that the kernel draws for this question alone;
 * the socket is connected, so packets from elsewhere do not arrive. Messages
 * that are no answer are passed over until the time is up. `undefined` when
 * none came.
 */
export function askOverUdp(query: NameserverQuery): Promise<DecodedPacket | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(query.address) ? "udp6" : "udp4");
    let finished = false;
    const finish = (answer?: DecodedPacket): void => {
      if (finished) return;
      finished = true;
      clearTimeout(timer);
      query.signal.removeEventListener("abort", giveUp);
      socket.off("message", take);
      socket.close();
      resolve(answer);
    };
    const giveUp = (): void => finish();
    const take = (message: Buffer): void => {
      const answer = query.accept(message);
      if (answer !== undefined) finish(answer);
    };
    const timer = setTimeout(giveUp, query.timeoutMilliseconds);
    query.signal.addEventListener("abort", giveUp, { once: true });
    socket.on("error", giveUp);
    socket.on("message", take);
    socket.once("connect", () => socket.send(query.message));
    socket.connect(query.port, query.address);
  });
}

/** Asks over TCP (RFC 7766). `undefined` when no answer came. */
export function askOverTcp(query: NameserverQuery): Promise<DecodedPacket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: query.address, port: query.port });
    const frames = createMessageFrames({ messageBytesMax: answerBytesMax });
    const finish = (answer?: DecodedPacket): void => {
      clearTimeout(timer);
      query.signal.removeEventListener("abort", giveUp);
      socket.destroy();
      resolve(answer);
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
