import { type IncomingMessage, request } from "node:http";
import { isIP, type Socket } from "node:net";
import type { UpstreamProxy } from "@opencomputer/protocol/wire";
import { errorCode } from "../logging/describe-error.ts";
import { DialError } from "./destination.ts";

/** What the operator's proxy is asked to connect to. */
export interface TunnelRequest {
  readonly host: string;
  readonly port: number;
  readonly timeoutMilliseconds: number;
  readonly signal: AbortSignal;
}

const proxyName = "The upstream proxy of this installation";

/**
 * Opens a tunnel through the operator's HTTP proxy by CONNECT (RFC 9110, section
 * 9.3.6). Rejects with `DialError` only, whose message has neither the address
 * of the proxy nor a word that it sent, since guests read it.
 */
export function openTunnel(
  proxy: UpstreamProxy,
  { host, port, timeoutMilliseconds, signal }: TunnelRequest,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const authority = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
    const connecting = request({
      host: proxy.host,
      port: proxy.port,
      method: "CONNECT",
      path: authority,
      headers: {
        host: authority,
        connection: "keep-alive",
        ...(proxy.authorization === null ? {} : { "proxy-authorization": proxy.authorization }),
      },
      agent: false,
      signal,
    });
    const timer = setTimeout(() => {
      const seconds = Math.ceil(timeoutMilliseconds / 1000);
      fail(new DialError("timed_out", `${proxyName} did not reach ${host} within ${seconds} s`));
    }, timeoutMilliseconds);
    const fail = (error: DialError): void => {
      clearTimeout(timer);
      reject(error);
      connecting.destroy();
    };

    connecting.once("connect", (response, socket, head) => {
      clearTimeout(timer);
      // Stays for the socket's lifetime: its user is notified by `close`.
      socket.on("error", () => socket.destroy());
      const refusal = refusalOf(host, response);
      if (refusal !== undefined) {
        socket.destroy();
        reject(refusal);
        return;
      }
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    connecting.on("error", (error) => fail(failureFor(host, errorCode(error), signal)));
    connecting.end();
  });
}

function refusalOf(host: string, { statusCode = 0 }: IncomingMessage): DialError | undefined {
  if (statusCode >= 200 && statusCode < 300) return undefined;
  if (statusCode === 407) {
    return new DialError(
      "connection_failed",
      `${proxyName} did not accept its credentials (407): an operator sets them in OPENCOMPUTER_EGRESS_UPSTREAM_PROXY`,
    );
  }
  if (statusCode === 401 || statusCode === 403) {
    return new DialError(
      "upstream_proxy_refused",
      `${proxyName} does not allow connections to ${host} (${statusCode}): its administrator can open them`,
    );
  }
  if (statusCode === 504) {
    return new DialError("timed_out", `${proxyName} did not reach ${host} in time (504)`);
  }
  return new DialError(
    "connection_failed",
    statusCode === 502 || statusCode === 503
      ? `${proxyName} could not connect to ${host} (${statusCode})`
      : `${proxyName} responded to CONNECT ${host} with status ${statusCode}, expected 200`,
  );
}

function failureFor(host: string, code: string | null, signal: AbortSignal): DialError {
  if (signal.aborted) {
    return new DialError("connection_failed", `The connection to ${host} was abandoned`);
  }
  if (code?.startsWith("HPE_") === true) {
    return new DialError("connection_failed", `${proxyName} did not respond with HTTP (${code})`);
  }
  if (code === "ECONNRESET") {
    return new DialError(
      "connection_failed",
      `${proxyName} closed the connection before it reached ${host}`,
    );
  }
  return new DialError(
    "connection_failed",
    `${proxyName} cannot be reached (${code ?? "no code"}): an operator sets it in OPENCOMPUTER_EGRESS_UPSTREAM_PROXY`,
  );
}
