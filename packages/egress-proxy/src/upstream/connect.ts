import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, type SecureContext, type TLSSocket } from "node:tls";
import type { UpstreamProxy } from "@opencomputer/protocol/wire";
import { errorCode } from "../logging/describe-error.ts";
import { certificateFailure } from "./certificate-failure.ts";
import type { CheckedAddress } from "./choose-addresses.ts";
import { type Destination, DialError, splitHost } from "./destination.ts";
import { openTunnel } from "./open-tunnel.ts";
import { probeWhenSilent } from "./probe-when-silent.ts";
import type { SessionCache } from "./session-cache.ts";
import type { Protocol } from "./upstream-protocols.ts";

/** One attempt to reach a destination. */
interface Attempt {
  readonly destination: Destination;
  readonly timeoutMilliseconds: number;
  readonly signal: AbortSignal;
  /** Versions of HTTP to offer, by preference; TLS only. */
  readonly protocols: readonly Protocol[];
}

/** An attempt at one address. */
export interface ConnectAttempt extends Attempt {
  readonly target: CheckedAddress;
}

/** An attempt through a tunnel of the operator's proxy. */
export interface TunnelAttempt extends Attempt {
  readonly proxy: UpstreamProxy;
  readonly port: number;
}

/** What connections to upstreams share. */
export interface ConnectDependencies {
  readonly secureContext: SecureContext;
  readonly sessions: SessionCache;
}

/**
 * Opens one connection to one checked address: TCP for `http` and `tcp`; for `https` TLS
 * 1.2 or later with the given protocols by ALPN, the certificate verified against the
 * host, which is also the server name. Rejects with `DialError` only.
 */
export function connect(deps: ConnectDependencies, attempt: ConnectAttempt): Promise<Socket> {
  const { destination, target } = attempt;
  const way = { host: target.address, port: target.port };
  const socket = destination.scheme === "https" ? openTls(deps, attempt, way) : connectTcp(way);
  return untilReady(deps, socket, target.port, attempt);
}

/**
 * Opens one connection through the operator's proxy. TLS is with the host, as in
 * {@link connect}: the proxy sees a name and encrypted bytes. Rejects with `DialError` only.
 */
export async function connectThroughProxy(
  deps: ConnectDependencies,
  attempt: TunnelAttempt,
): Promise<Socket> {
  const { destination, proxy, port, signal } = attempt;
  const deadline = performance.now() + attempt.timeoutMilliseconds;
  const { name: host } = splitHost(destination);
  const { timeoutMilliseconds } = attempt;
  const tunnel = await openTunnel(proxy, { host, port, timeoutMilliseconds, signal });
  prepareTcp(tunnel);
  if (destination.scheme !== "https") return tunnel;
  const remaining = Math.max(0, deadline - performance.now());
  const socket = openTls(deps, attempt, { socket: tunnel });
  return await untilReady(deps, socket, port, { ...attempt, timeoutMilliseconds: remaining });
}

function prepareTcp(socket: Socket): void {
  socket.setNoDelay(true);
  probeWhenSilent(socket);
}

/** Resolves once the connection can carry requests; otherwise destroys it and rejects. */
function untilReady(
  deps: ConnectDependencies,
  socket: Socket,
  port: number,
  { destination, timeoutMilliseconds, signal }: Attempt,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const { host, scheme } = destination;
    const secure = scheme === "https";
    const ready = secure ? "secureConnect" : "connect";

    const stopWaiting = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      socket.off(ready, succeed);
      socket.off("close", closeEarly);
    };
    const succeed = (): void => {
      stopWaiting();
      prepareTcp(socket);
      resolve(socket);
    };
    const fail = (error: DialError): void => {
      stopWaiting();
      socket.destroy();
      reject(error);
    };
    const abort = (): void =>
      fail(new DialError("connection_failed", `The connection to ${host} was abandoned`));
    const closeEarly = (): void => fail(failureFor(destination, port, null));
    const timer = setTimeout(() => {
      fail(
        new DialError(
          "timed_out",
          `${host} did not accept the connection within ${Math.ceil(timeoutMilliseconds / 1000)} s`,
        ),
      );
    }, timeoutMilliseconds);

    // Stays for the socket's lifetime: once connected, the socket's user is notified of an error by `close`.
    socket.on("error", (error) => {
      if (secure) deps.sessions.delete(host);
      fail(failureFor(destination, port, errorCode(error)));
    });
    socket.once(ready, succeed);
    socket.once("close", closeEarly);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
  });
}

/** Begins TLS with a host, at an address or over a socket that leads to it. */
function openTls(
  deps: ConnectDependencies,
  { destination, protocols }: Attempt,
  way: { host: string; port: number } | { socket: Socket },
): TLSSocket {
  const { host } = destination;
  const { name } = splitHost(destination);
  const session = deps.sessions.get(host);
  const socket = connectTls({
    ...way,
    secureContext: deps.secureContext,
    ALPNProtocols: [...protocols],
    ...(isIP(name) === 0 ? { servername: name } : {}),
    ...(session === undefined ? {} : { session }),
  });
  socket.once("secureConnect", () => {
    // TLS 1.2 has issued its session by now, TLS 1.3 issues sessions from now on.
    const early = socket.getProtocol() === "TLSv1.2" ? socket.getSession() : undefined;
    if (early !== undefined) deps.sessions.set(host, early);
    socket.on("session", (fresh: Buffer) => deps.sessions.set(host, fresh));
  });
  return socket;
}

function failureFor({ host, scheme }: Destination, port: number, code: string | null): DialError {
  const certificate = certificateFailure(code);
  if (certificate !== undefined) {
    return new DialError(
      "certificate_invalid",
      `The certificate of ${host} cannot be trusted: ${certificate}`,
    );
  }
  if (code === "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL") {
    return new DialError(
      "protocol_not_supported",
      `${host} speaks none of the versions of HTTP that were offered to it`,
    );
  }
  if (code === "ETIMEDOUT") {
    return new DialError("timed_out", `${host} did not accept the connection on port ${port}`);
  }
  if (code === "ECONNREFUSED") {
    return new DialError("connection_failed", `${host} refuses connections on port ${port}`);
  }
  if (code === "ENETUNREACH" || code === "EHOSTUNREACH") {
    return new DialError("connection_failed", `${host} cannot be reached from here`);
  }
  const what = scheme === "https" ? "TLS connection" : "connection";
  return new DialError(
    "connection_failed",
    code === null
      ? `${host} closed the ${what} before it was established`
      : `The ${what} to ${host} failed (${code})`,
  );
}
