import { createServer, type SecureContext, type Server } from "node:tls";
import { limits } from "@opencomputer/protocol";
import type { Logger } from "pino";
import type { AuditRefusal } from "../audit/sparse-audit.ts";
import type { LeafContexts } from "../certificates/leaf-contexts.ts";
import { hostFromServerName } from "../certificates/server-name.ts";
import type { FindPolicy, ServeConnection } from "../contract.ts";
import { describeError, errorCode } from "../describe-error.ts";
import { logSocketError } from "./guest-socket.ts";
import { handshakeFailure } from "./handshake-failure.ts";

export interface GuestTlsDependencies {
  readonly contexts: LeafContexts;
  readonly serveConnection: ServeConnection;
  readonly findPolicy: FindPolicy;
  readonly auditRefusal: AuditRefusal;
  readonly log: Logger;
}

/**
 * The TLS side of every connection from one source address; takes each as a
 * `connection` event.
 *
 * TLS 1.2 and 1.3 (RFC 5246, RFC 8446), HTTP/1.1 by ALPN, no client
 * certificates. A client that names no host, or something that is no host,
 * finds no certificate and the handshake fails. Sessions are resumed by
 * tickets whose key lives here alone, so a ticket of one address opens
 * nothing at another.
 */
export function createGuestTls(sourceAddress: string, deps: GuestTlsDependencies): Server {
  const { contexts, log } = deps;

  const contextFor = async (serverName: string): Promise<SecureContext | undefined> => {
    const host = hostFromServerName(serverName);
    return host === undefined ? undefined : await contexts.contextFor(host);
  };

  const tls = createServer({
    minVersion: "TLSv1.2",
    ALPNProtocols: ["http/1.1"],
    requestCert: false,
    handshakeTimeout: limits.egressHeadTimeoutSeconds * 1000,
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

  tls.on("secureConnection", (socket) => {
    socket.on("error", logSocketError(log));
    // Only from here on: a guest that ends its side during the handshake is gone.
    socket.allowHalfOpen = true;
    const host = hostFromServerName(socket.servername || "");
    if (host === undefined) {
      socket.destroy();
      return;
    }
    void deps.serveConnection({ socket, scheme: "https", sourceAddress, serverName: host });
  });

  tls.on("tlsClientError", (error, socket) => {
    socket.destroy();
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
  });

  return tls;
}
