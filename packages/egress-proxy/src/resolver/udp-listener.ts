import { createSocket } from "node:dgram";
import { serviceLimits } from "@opencomputer/protocol/wire";
import type { Logger } from "pino";
import type { AuditRefusal } from "../audit/sparse-audit.ts";
import type { FindPolicy } from "../egress-policy/session-policy.ts";
import { errorCode } from "../logging/describe-error.ts";
import type { Resolver } from "./resolver.ts";

export interface UdpListener {
  /** Rejects with an error that names the address when it cannot listen there. */
  listen(address: { host: string; port: number }): Promise<void>;
  close(): void;
}

/** Creates the socket that serves guests' DNS messages over UDP. Sources without a session get no response. */
export function createUdpListener(deps: {
  resolver: Pick<Resolver, "respond">;
  findPolicy: FindPolicy;
  auditRefusal: AuditRefusal;
  log: Logger;
}): UdpListener {
  const socket = createSocket("udp4");
  let closed = false;

  const sent = (error: Error | null): void => {
    if (error !== null)
      deps.log.debug({ code: errorCode(error) }, "a DNS response could not be sent");
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
    void deps.resolver.respond(message, policy, "udp").then((response) => {
      if (response === undefined || closed) return;
      // What the kernel does not accept now is queued in this process: beyond the bound it is dropped, as UDP may be.
      if (socket.getSendQueueSize() > serviceLimits.dnsSendQueueBytesMax) return;
      socket.send(response, port, address, sent);
    });
  });

  return {
    listen: ({ host, port }) =>
      new Promise((resolve, reject) => {
        socket.once("error", (cause) =>
          reject(
            new Error(`Cannot listen on udp ${host}:${port} (${errorCode(cause) ?? "no code"})`, {
              cause,
            }),
          ),
        );
        socket.bind({ address: host, port, exclusive: true }, () => {
          socket.removeAllListeners("error");
          socket.on("error", (error) =>
            deps.log.warn({ code: errorCode(error) }, "the DNS socket failed"),
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
