import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, type SecureContext, type TLSSocket } from "node:tls";
import { type Destination, DialError } from "../contract.ts";
import { errorCode } from "../describe-error.ts";
import { certificateFailure } from "./certificate-failure.ts";
import type { CheckedAddress } from "./choose-addresses.ts";
import type { SessionCache } from "./session-cache.ts";

/** Opens one connection to one checked address. Rejects with `DialError` only. */
export type Connect = (attempt: {
  destination: Destination;
  target: CheckedAddress;
  timeoutMilliseconds: number;
  signal: AbortSignal;
}) => Promise<Socket>;

/**
 * TCP for `http`; for `https` TLS 1.2 or later with HTTP/1.1 by ALPN, the
 * certificate verified against the host, which is also the server name.
 */
export function createConnect(deps: {
  secureContext: SecureContext;
  sessions: SessionCache;
}): Connect {
  const openTls = ({ host }: Destination, target: CheckedAddress): TLSSocket => {
    const session = deps.sessions.get(host);
    const socket = connectTls({
      host: target.address,
      port: target.port,
      secureContext: deps.secureContext,
      ALPNProtocols: ["http/1.1"],
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...(session === undefined ? {} : { session }),
    });
    socket.once("secureConnect", () => {
      // TLS 1.2 has handed its session out by now, TLS 1.3 does so from now on.
      const early = socket.getProtocol() === "TLSv1.2" ? socket.getSession() : undefined;
      if (early !== undefined) deps.sessions.set(host, early);
      socket.on("session", (fresh: Buffer) => deps.sessions.set(host, fresh));
    });
    return socket;
  };

  return ({ destination, target, timeoutMilliseconds, signal }) =>
    new Promise((resolve, reject) => {
      const { host, scheme } = destination;
      const secure = scheme === "https";
      const socket = secure
        ? openTls(destination, target)
        : connectTcp({ host: target.address, port: target.port });
      const ready = secure ? "secureConnect" : "connect";

      const settle = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", abort);
        socket.off(ready, succeed);
        socket.off("close", closeEarly);
      };
      const succeed = (): void => {
        settle();
        socket.setNoDelay(true);
        resolve(socket);
      };
      const fail = (error: DialError): void => {
        settle();
        socket.destroy();
        reject(error);
      };
      const abort = (): void =>
        fail(new DialError("connection_failed", `The connection to ${host} was given up`));
      const closeEarly = (): void => fail(failureFor(destination, target, null));
      const timer = setTimeout(() => {
        fail(
          new DialError(
            "timed_out",
            `${host} did not accept the connection within ${Math.ceil(timeoutMilliseconds / 1000)} s`,
          ),
        );
      }, timeoutMilliseconds);

      // Stays for the socket's life: after the connection is established, its user learns of an error from `close`.
      socket.on("error", (error) => {
        if (secure) deps.sessions.delete(host);
        fail(failureFor(destination, target, errorCode(error)));
      });
      socket.once(ready, succeed);
      socket.once("close", closeEarly);
      signal.addEventListener("abort", abort, { once: true });
      if (signal.aborted) abort();
    });
}

function failureFor(
  { host, scheme }: Destination,
  { port }: CheckedAddress,
  code: string | null,
): DialError {
  const certificate = certificateFailure(code);
  if (certificate !== undefined) {
    return new DialError(
      "certificate_invalid",
      `The certificate of ${host} cannot be trusted: ${certificate}`,
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
