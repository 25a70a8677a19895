import { randomBytes } from "node:crypto";
import { createServer as createTcpServer, type Server } from "node:net";
import { createServer as createTlsServer, type SecureContext, type TLSSocket } from "node:tls";
import { limits } from "@opencomputer/protocol";
import type { Logger } from "pino";
import type { AuditRefusal } from "../audit/sparse-audit.ts";
import type { LeafContexts } from "../certificates/leaf-contexts.ts";
import { hostFromServerName } from "../certificates/server-name.ts";
import type { FindPolicy, ServeConnection } from "../contract.ts";
import { describeError, errorCode } from "../describe-error.ts";
import type { AdmitGuest } from "./admit-guest.ts";
import { keepAliveDelayMilliseconds, logSocketError } from "./guest-socket.ts";
import { handshakeFailure } from "./handshake-failure.ts";

/** Octets of name, MAC and cipher key that seal session tickets, as Node takes them. */
const ticketKeyBytes = 48;

/**
 * Accepts the TLS that guests open to port 443, proves the host that they
 * name, and hands the decrypted connection on.
 *
 * Who connects is decided before the handshake costs anything. TLS 1.2 and
 * 1.3 (RFC 8446, RFC 5246), HTTP/1.1 by ALPN, no client certificates. A
 * client that names no host, or something that is no host, finds no
 * certificate and the handshake fails. Sessions are resumed by tickets whose
 * key lives in this process alone; a ticket carries no identity, because
 * every connection is identified by its source address.
 */
export function createTlsListener(deps: {
  admitGuest: AdmitGuest;
  contexts: LeafContexts;
  serveConnection: ServeConnection;
  findPolicy: FindPolicy;
  auditRefusal: AuditRefusal;
  log: Logger;
}): Server {
  const { contexts, log } = deps;

  const contextFor = async (serverName: string): Promise<SecureContext | undefined> => {
    const host = hostFromServerName(serverName);
    return host === undefined ? undefined : await contexts.contextFor(host);
  };

  const tls = createTlsServer({
    minVersion: "TLSv1.2",
    ALPNProtocols: ["http/1.1"],
    requestCert: false,
    handshakeTimeout: limits.egressHeadTimeoutSeconds * 1000,
    ticketKeys: randomBytes(ticketKeyBytes),
    SNICallback: (serverName, callback) => {
      contextFor(serverName).then(
        (context) => callback(null, context),
        (error: unknown) => {
          log.error({ error: describeError(error) }, "a leaf certificate could not be made");
          callback(null, undefined);
        },
      );
    },
  });

  const auditFailure = (socket: TLSSocket, error: Error): void => {
    const sourceAddress = socket.remoteAddress;
    if (sourceAddress === undefined) return;
    const serverName = socket.servername || null;
    deps.auditRefusal({
      kind: "tls",
      sandboxId: deps.findPolicy(sourceAddress)?.sandboxId ?? null,
      sourceAddress,
      host: serverName === null ? null : (hostFromServerName(serverName) ?? null),
      reason: handshakeFailure({
        serverName,
        hasAuthority: contexts.hasAuthority,
        code: errorCode(error),
      }),
    });
  };

  tls.on("secureConnection", (socket) => {
    socket.on("error", logSocketError(log));
    // Only from here on: a guest that ends its side during the handshake is gone.
    socket.allowHalfOpen = true;
    const sourceAddress = socket.remoteAddress;
    const host = hostFromServerName(socket.servername || "");
    if (sourceAddress === undefined || host === undefined) {
      socket.destroy();
      return;
    }
    void deps.serveConnection({ socket, scheme: "https", sourceAddress, serverName: host });
  });
  tls.on("tlsClientError", (error, socket) => {
    auditFailure(socket, error);
    socket.destroy();
  });

  const listener = createTcpServer({
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveDelayMilliseconds,
  });
  listener.on("connection", (socket) => {
    socket.on("error", logSocketError(log));
    if (deps.admitGuest(socket) !== undefined) tls.emit("connection", socket);
  });
  return listener;
}
