import { createServer, type Server, type Socket } from "node:net";
import { limits } from "@opencomputer/protocol";
import type { Logger } from "pino";
import type { FindPolicy } from "../contract.ts";
import type { AdmitGuest } from "../listeners/admit-guest.ts";
import { logSocketError } from "../listeners/guest-socket.ts";
import { createMessageFrames, frameMessage } from "./message-frames.ts";
import type { AnswerMessage } from "./question-service.ts";

/**
 * Takes the DNS messages of guests over TCP (RFC 7766). Messages of one
 * connection are answered one after another; while one is open, or its
 * response waits for a guest that does not read, the next is not read: a guest
 * can queue up neither. One that reads nothing for the idle time-out is cut off.
 */
export function createTcpListener(deps: {
  admitGuest: AdmitGuest;
  answerMessage: AnswerMessage;
  findPolicy: FindPolicy;
  log: Logger;
}): Server {
  const answerOne = async (
    socket: Socket,
    sourceAddress: string,
    message: Buffer,
  ): Promise<void> => {
    const policy = deps.findPolicy(sourceAddress);
    const answer = policy && (await deps.answerMessage(message, policy, "tcp"));
    if (answer === undefined) socket.destroy();
    else if (!socket.destroyed && !socket.write(frameMessage(answer))) await drained(socket);
  };

  const answerAll = async (
    socket: Socket,
    sourceAddress: string,
    messages: readonly Buffer[],
  ): Promise<void> => {
    socket.pause();
    for (const message of messages) {
      if (socket.destroyed) return;
      await answerOne(socket, sourceAddress, message);
    }
    socket.resume();
  };

  const listener = createServer({ noDelay: true });
  listener.on("connection", (socket) => {
    socket.on("error", logSocketError(deps.log));
    const sourceAddress = deps.admitGuest(socket);
    if (sourceAddress === undefined) return;
    const frames = createMessageFrames({ messageBytesMax: limits.dnsMessageBytesMax });
    socket.setTimeout(limits.dnsIdleTimeoutSeconds * 1000, () => socket.destroy());
    socket.on("data", (chunk: Buffer) => {
      const messages = frames.push(chunk);
      if (messages === undefined) socket.resetAndDestroy();
      else if (messages.length > 0) void answerAll(socket, sourceAddress, messages);
    });
  });
  return listener;
}

/** Resolves when the guest has read what was written, or its connection has ended. */
function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off("drain", done);
      socket.off("close", done);
      resolve();
    };
    socket.on("drain", done);
    socket.on("close", done);
  });
}
