import { normalizeHost } from "@opencomputer/protocol/api";
import { fieldValues } from "../../http/fields.ts";
import { malformed } from "../../http/http-syntax-error.ts";
import type { RequestHead } from "../../http/message-heads.ts";
import type { GuestConnection } from "../../listeners/guest-connection.ts";
import { type Destination, joinHost, schemePorts } from "../../upstream/destination.ts";
import { Refusal } from "../failure/refusal.ts";

/** Where a request goes, and what it asks for there. */
export interface CheckedRequest {
  readonly destination: Destination;
  /** The target in the form in which it goes upstream: origin form, or `*`. */
  readonly target: string;
}

/** What a guest's connection says about where its requests go. */
export type ConnectionOrigin = Pick<GuestConnection, "scheme" | "port" | "serverName">;

const authorityPattern = /^([^:@[\]]+)(?::(\d{1,5}))?$/;
const absolutePattern = /^(https?):\/\/([^/?]+)([/?].*)?$/i;

/**
 * Finds where a request goes. `Host` must be given exactly once, agree with a
 * target in absolute form (RFC 9112 §3.2), and for https be the name of the TLS
 * handshake: the host that the policy decides on is the host that is dialled and
 * the one that the server receives.
 *
 * @throws {HttpSyntaxError} for a missing, repeated or malformed Host
 * @throws {Refusal} 421 for another host or port, 405 for CONNECT
 */
export function findDestination(connection: ConnectionOrigin, head: RequestHead): CheckedRequest {
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
  const { scheme } = connection;
  const namedPort = port ?? String(schemePorts[scheme]);
  if (namedPort !== String(connection.port)) {
    throw new Refusal(
      "host_mismatch",
      `The Host header names port ${namedPort}, but the connection is to port ${connection.port}: both must be the same`,
    );
  }
  if (connection.serverName !== null && host !== connection.serverName) {
    throw new Refusal(
      "host_mismatch",
      `The Host header names ${host}, but the TLS handshake named ${connection.serverName}: both must be the same`,
    );
  }
  return { destination: { scheme, host: joinHost(scheme, host, connection.port) }, target };
}

function parseAuthority(text: string): { host: string; port: string | undefined } {
  const [, name, port] = authorityPattern.exec(text) ?? [];
  const host = name === undefined ? undefined : normalizeHost(name);
  if (host === undefined) throw malformed("the Host header is not a host name");
  return { host, port: port === undefined ? undefined : String(Number(port)) };
}

function originTarget(
  connection: ConnectionOrigin,
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
  const ownPort = String(schemePorts[connection.scheme]);
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
