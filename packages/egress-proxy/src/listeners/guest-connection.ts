import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import { normalizeHost } from "@opencomputer/protocol/api";
import type { Logger } from "pino";
import { errorCode } from "../logging/describe-error.ts";
import type { Scheme } from "../upstream/destination.ts";
import type { Protocol } from "../upstream/upstream-protocols.ts";
import type { Admission } from "./admission.ts";

/** A guest's connection, decrypted where it uses TLS. */
export interface GuestConnection {
  readonly socket: Duplex;
  readonly scheme: Scheme;
  readonly sourceAddress: string;
  /** The sandbox that opened the connection. */
  readonly sandboxId: string;
  /** The port that the guest connected to. */
  readonly port: number;
  /** Canonical server name of the TLS handshake; null for plain HTTP. */
  readonly serverName: string | null;
  readonly admission: Admission;
  /** The version of HTTP that the TLS handshake agreed on. */
  readonly protocol: Protocol;
}

/** Serves a guest's connection until either side ends it. Never rejects. */
export type ServeConnection = (connection: GuestConnection) => Promise<void>;

/**
 * Returns the error listener of every guest's socket, so that a reset ends one
 * connection and not the process. The code that serves the connection is
 * notified by `close`.
 */
export function logSocketError(log: Logger): (error: Error) => void {
  return (error) => log.debug({ code: errorCode(error) }, "a guest's connection failed");
}

/**
 * Returns the canonical host of a TLS server name; `undefined` for an address
 * (RFC 6066, section 3, allows names only) and for anything that is not a host name.
 */
export function hostFromServerName(serverName: string): string | undefined {
  const host = normalizeHost(serverName);
  return host === undefined || isIP(host) !== 0 ? undefined : host;
}
