import { normalizeHost } from "@opencomputer/protocol";
import type { Destination, GuestConnection } from "../contract.ts";
import { fieldValues } from "../http1/fields.ts";
import { malformed } from "../http1/http-syntax-error.ts";
import type { RequestHead } from "../http1/request-head.ts";
import { Refusal } from "./refusal.ts";

export interface CheckedRequest {
  readonly destination: Destination;
  /** The target in the form in which it goes upstream: origin form, or `*`. */
  readonly target: string;
}

const ports = { https: "443", http: "80" } as const;
const authorityPattern = /^([^:@[\]]+)(?::(\d{1,5}))?$/;
const absolutePattern = /^(https?):\/\/([^/?]+)([/?].*)?$/i;

/**
 * Finds where a request goes. `Host` has to be there exactly once, to agree
 * with a target in absolute form (RFC 9112 §3.2), and for https to be the
 * name of the TLS handshake: the name whose policy was asked is the name that
 * is dialled and the name that the server is told.
 *
 * @throws {HttpSyntaxError} for a missing, repeated or malformed Host
 * @throws {Refusal} 421 for another host or port, 405 for CONNECT
 */
export function checkHost(connection: GuestConnection, head: RequestHead): CheckedRequest {
  if (head.method === "CONNECT") {
    throw new Refusal(
      "method_not_allowed",
      "CONNECT is not supported: connect to the host itself, the proxy is transparent",
    );
  }
  const values = fieldValues(head.fields, "host");
  const [value] = values;
  if (value === undefined) throw malformed("the Host header is missing");
  if (values.length > 1) throw malformed("the Host header is given more than once");
  const { host, port } =
    value === connection.serverName ? { host: value, port: undefined } : parseAuthority(value);
  const target = originTarget(connection, head, host, port);
  const expectedPort = ports[connection.scheme];
  if (port !== undefined && port !== expectedPort) {
    throw new Refusal(
      "host_mismatch",
      `Port ${port} is not reachable over ${connection.scheme}: only port ${expectedPort} is`,
    );
  }
  if (connection.serverName !== null && host !== connection.serverName) {
    throw new Refusal(
      "host_mismatch",
      `The Host header names ${host}, but the TLS handshake named ${connection.serverName}: both must be the same`,
    );
  }
  return { destination: { scheme: connection.scheme, host }, target };
}

function parseAuthority(text: string): { host: string; port: string | undefined } {
  const [, name, port] = authorityPattern.exec(text) ?? [];
  const host = name === undefined ? undefined : normalizeHost(name);
  if (host === undefined) throw malformed("the Host header is not a host name");
  return { host, port: port === undefined ? undefined : String(Number(port)) };
}

function originTarget(
  connection: GuestConnection,
  head: RequestHead,
  host: string,
  port: string | undefined,
): string {
  const { target } = head;
  if (target.startsWith("/")) return target;
  if (target === "*" && head.method === "OPTIONS") return target;
  const [, scheme, authority, rest] = absolutePattern.exec(target) ?? [];
  if (scheme === undefined || authority === undefined) {
    throw malformed("the request target is neither a path nor an absolute URL");
  }
  const named = parseAuthority(authority);
  const ownPort = ports[connection.scheme];
  if (
    scheme.toLowerCase() !== connection.scheme ||
    named.host !== host ||
    (named.port ?? ownPort) !== (port ?? ownPort)
  ) {
    throw malformed("the request target and the Host header name different places");
  }
  if (rest === undefined) return head.method === "OPTIONS" ? "*" : "/";
  return rest.startsWith("/") ? rest : `/${rest}`;
}
