import { createSocket } from "node:dgram";
import { limits } from "@opencomputer/protocol";
import type { Logger } from "pino";
import type { AuditRefusal } from "../audit/sparse-audit.ts";
import type { FindPolicy } from "../contract.ts";
import { errorCode } from "../describe-error.ts";
import type { AnswerMessage } from "./question-service.ts";

export interface UdpListener {
  /** Rejects with the address named when it cannot listen there. */
  listen(address: { host: string; port: number }): Promise<void>;
  close(): void;
}

/** Takes the DNS messages of guests over UDP. Sources without a session get no answer. */
export function createUdpListener(deps: {
  answerMessage: AnswerMessage;
  findPolicy: FindPolicy;
  auditRefusal: AuditRefusal;
  log: Logger;
}): UdpListener {
  const socket = createSocket("udp4");
  let closed = false;

  const sent = (error: Error | null): void => {
    if (error !== null) deps.log.debug({ code: errorCode(error) }, "a DNS answer was not sent");
  };

  socket.on("message", (message, { address, port }) => {
    const policy = deps.findPolicy(address);
    if (policy === undefined) {
      deps.auditRefusal({
        kind: "dns",
        sandboxId: null,
        sourceAddress: address,
        host: null,
        reason: "no sandbox has this source address",
      });
      return;
    }
    void deps.answerMessage(message, policy, "udp").then((answer) => {
      if (answer === undefined || closed) return;
      // What the kernel does not take now is held here: beyond the bound it is lost, as UDP may be.
      if (socket.getSendQueueSize() > limits.dnsSendQueueBytesMax) return;
      socket.send(answer, port, address, sent);
    });
  });

  return {
    listen: ({ host, port }) =>
      new Promise((resolve, reject) => {
        socket.once("error", (cause) =>
          reject(new Error(`Cannot listen on udp ${host}:${port}`, { cause })),
        );
        socket.bind({ address: host, port, exclusive: true }, () => {
          socket.removeAllListeners("error");
          socket.on("error", (error) =>
            deps.log.warn({ code: errorCode(error) }, "the DNS socket had an error"),
          );
          resolve();
        });
      }),
    close() {
      if (closed) return;
      closed = true;
      socket.close();
    },
  };
}
