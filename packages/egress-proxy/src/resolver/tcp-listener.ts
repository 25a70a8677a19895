import { createServer, type Server, type Socket } from "node:net";
import { serviceLimits } from "@opencomputer/protocol/wire";
import type { Logger } from "pino";
import type { FindPolicy } from "../egress-policy/session-policy.ts";
import type { AdmittedGuest } from "../listeners/admit-guest.ts";
import { logSocketError } from "../listeners/guest-connection.ts";
import { type FairTurns, workUnits } from "../turns/fair-turns.ts";
import { createMessageFrames, frameMessage } from "./message-frames.ts";
import type { Resolver } from "./resolver.ts";

/**
 * Creates the server that serves guests' DNS messages over TCP (RFC 7766).
 * Messages of one connection are served one after another. While one is open,
 * or its response waits for a guest that does not read, the next is not read:
 * a guest can queue neither. One that reads nothing until the idle time-out is
 * disconnected.
 */
export function createTcpListener(deps: {
  admitGuest: (socket: Socket) => AdmittedGuest | undefined;
  resolver: Pick<Resolver, "respond">;
  turns: Pick<FairTurns, "take">;
  findPolicy: FindPolicy;
  log: Logger;
}): Server {
  const respondToOne = async (
    socket: Socket,
    { sourceAddress, sandboxId }: AdmittedGuest,
    message: Buffer,
  ): Promise<void> => {
    const turn = deps.turns.take(sandboxId, workUnits.dnsMessage);
    if (turn !== undefined) await turn;
    const policy = deps.findPolicy(sourceAddress);
    const response = policy && (await deps.resolver.respond(message, policy, "tcp"));
    if (response === undefined) socket.destroy();
    else if (!socket.destroyed && !socket.write(frameMessage(response))) await drained(socket);
  };

  const respondToAll = async (
    socket: Socket,
    guest: AdmittedGuest,
    messages: readonly Buffer[],
  ): Promise<void> => {
    socket.pause();
    for (const message of messages) {
      if (socket.destroyed) return;
      await respondToOne(socket, guest, message);
    }
    socket.resume();
  };

  const listener = createServer({ noDelay: true });
  listener.on("connection", (socket) => {
    socket.on("error", logSocketError(deps.log));
    const admitted = deps.admitGuest(socket);
    if (admitted === undefined) return;
    // It has a shorter time-out of its own, and makes no room for others.
    admitted.admission.busy();
    const frames = createMessageFrames({ messageBytesMax: serviceLimits.dnsMessageBytesMax });
    socket.setTimeout(serviceLimits.dnsIdleTimeoutSeconds * 1000, () => socket.destroy());
    socket.on("data", (chunk: Buffer) => {
      const messages = frames.push(chunk);
      if (messages === undefined) socket.resetAndDestroy();
      else if (messages.length > 0) void respondToAll(socket, admitted, messages);
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
