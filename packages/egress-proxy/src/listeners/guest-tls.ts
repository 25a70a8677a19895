import type { Socket } from "node:net";
import { createServer, type SecureContext } from "node:tls";
import { serviceLimits } from "@opencomputer/protocol/wire";
import type { Logger } from "pino";
import type { AuditRefusal } from "../audit/sparse-audit.ts";
import type { LeafContexts } from "../certificates/leaf-contexts.ts";
import { describeError, errorCode } from "../logging/describe-error.ts";
import { type FairTurns, workUnits } from "../turns/fair-turns.ts";
import { joinHost } from "../upstream/destination.ts";
import { negotiatedProtocol, type UpstreamProtocols } from "../upstream/upstream-protocols.ts";
import type { AdmittedGuest } from "./admit-guest.ts";
import { hostFromServerName, logSocketError, type ServeConnection } from "./guest-connection.ts";
import { handshakeFailure } from "./handshake-failure.ts";

export interface GuestTlsDependencies {
  readonly turns: Pick<FairTurns, "take">;
  readonly contexts: LeafContexts;
  readonly serveConnection: ServeConnection;
  readonly protocols: UpstreamProtocols;
  readonly auditRefusal: AuditRefusal;
  readonly log: Logger;
}

/** The TLS of all connections of one sandbox to one port. */
export interface GuestTls {
  /** Begins the handshake of an admitted connection. */
  accept(socket: Socket, guest: AdmittedGuest): void;
}

/**
 * Creates the TLS for all connections of one sandbox at its address to one port of the guest's.
 *
 * TLS 1.2 and 1.3 (RFC 5246, RFC 8446), no client certificates. ALPN mirrors
 * what the upstream speaks. The handshake of a client that names no host, or an invalid
 * one, fails for lack of a certificate. Sessions are resumed by tickets whose
 * key is this server's alone, so a ticket of one sandbox is useless to another.
 */
export function createGuestTls(
  { sandboxId, sourceAddress, port }: { sandboxId: string; sourceAddress: string; port: number },
  deps: GuestTlsDependencies,
): GuestTls {
  const { contexts, log } = deps;
  /** By the guest's port, which the decrypted socket has in common with the one beneath it. */
  const guests = new Map<number, AdmittedGuest>();

  const contextFor = async (serverName: string): Promise<SecureContext | undefined> => {
    const host = hostFromServerName(serverName);
    if (host === undefined) return undefined;
    await deps.turns.take(
      sandboxId,
      contexts.has(host) ? workUnits.handshake : workUnits.certificate,
    );
    try {
      return contexts.contextFor(host);
    } catch (error) {
      log.error({ error: describeError(error) }, "a leaf certificate could not be made");
      return undefined;
    }
  };

  const tls = createServer({
    minVersion: "TLSv1.2",
    ALPNCallback: ({ servername, protocols }) =>
      deps.protocols.choose(hostAt(servername, port) ?? undefined, protocols),
    requestCert: false,
    handshakeTimeout: serviceLimits.egressHeadTimeoutSeconds * 1000,
    SNICallback(serverName, callback) {
      void contextFor(serverName).then((context) => callback(null, context));
    },
  });

  tls.on("secureConnection", (socket) => {
    socket.on("error", logSocketError(log));
    // Not before the handshake is done: a guest that ends its side during it cannot finish it.
    socket.allowHalfOpen = true;
    const host = hostFromServerName(socket.servername || "");
    const guest = guests.get(socket.remotePort ?? 0);
    if (host === undefined || guest === undefined) {
      socket.destroy();
      return;
    }
    void deps.serveConnection({
      socket,
      scheme: "https",
      port,
      serverName: host,
      ...guest,
      protocol: negotiatedProtocol(socket),
    });
  });

  tls.on("tlsClientError", (error, socket) => {
    socket.destroy();
    const serverName = socket.servername || null;
    deps.auditRefusal({
      kind: "tls",
      sandboxId,
      sourceAddress,
      host: serverName === null ? null : hostAt(serverName, port),
      port,
      reason: handshakeFailure({
        serverName,
        hasAuthority: contexts.hasAuthority,
        code: errorCode(error),
      }),
    });
  });

  return {
    accept(socket, guest) {
      const sourcePort = socket.remotePort ?? 0;
      guests.set(sourcePort, guest);
      socket.once("close", () => {
        if (guests.get(sourcePort) === guest) guests.delete(sourcePort);
      });
      tls.emit("connection", socket);
    },
  };
}

/** The host of a server name, with the port where it is not 443; null for anything that is not a host name. */
function hostAt(serverName: string, port: number): string | null {
  const host = hostFromServerName(serverName);
  return host === undefined ? null : joinHost("https", host, port);
}
