import type { IncomingMessage } from "node:http";
import { isIPv6 } from "node:net";
import { fieldsOf, hopByHopNames } from "./hop-by-hop.ts";
import { withoutSessionCookie } from "./session-cookie.ts";

/** Fields that only the gateway may set, or that hold a credential of the platform. */
const owned: ReadonlySet<string> = new Set([
  "host",
  "content-length",
  "forwarded",
  "x-api-key",
  "x-oc-preview-token",
  "x-real-ip",
]);

export interface ForwardedRequest {
  /** The authority that the visitor asked for. */
  authority: string;
  /** Scheme under which visitors reach this server, when no trusted proxy states it. */
  scheme: "http" | "https";
  /** Whether a proxy of the operator's sets X-Forwarded-For, -Host and -Proto. */
  trustsForwarded: boolean;
  /** Whether Authorization opened the preview, so that the sandbox does not get it. */
  dropsAuthorization: boolean;
  /** Whether it is forwarded as an upgrade to a WebSocket. */
  isWebSocket: boolean;
}

/**
 * The fields of a request as the sandbox's server gets them. `Host` is the one
 * that the visitor sees: frameworks compare it with Origin, and make URLs
 * and the scope of cookies from it.
 *
 * A name with `_` counts as the one with `-`, because CGI and WSGI do not distinguish them.
 */
export function requestFields(request: IncomingMessage, options: ForwardedRequest): string[] {
  const raw = request.rawHeaders;
  const dropped = hopByHopNames(raw);
  const fields = ["Host", options.authority];
  for (const { name, lower, value } of fieldsOf(raw)) {
    const canonical = lower.replaceAll("_", "-");
    if (dropped.has(lower) || owned.has(canonical) || canonical.startsWith("x-forwarded-"))
      continue;
    if (canonical === "authorization" && options.dropsAuthorization) continue;
    // The gateway's own client would wait for a body that it cannot have yet.
    if (lower === "trailer" && request.headers["transfer-encoding"] === undefined) continue;
    if (lower !== "cookie") {
      fields.push(name, value);
      continue;
    }
    const cookies = withoutSessionCookie(value);
    if (cookies !== "") fields.push(name, cookies);
  }
  fields.push(...forwardedFields(request, options));
  if (options.isWebSocket) fields.push("Connection", "Upgrade", "Upgrade", "websocket");
  else fields.push(...framingFields(request));
  return fields;
}

/** The de-facto standard fields of a proxy: the client, and the host and scheme that it requested. */
function forwardedFields(request: IncomingMessage, options: ForwardedRequest): string[] {
  const peer = addressOf(request.socket.remoteAddress ?? "");
  const { headers } = request;
  const trusted = (name: string) => {
    const value = options.trustsForwarded ? headers[name] : undefined;
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const before = trusted("x-forwarded-for");
  return [
    "X-Forwarded-For",
    before === undefined ? peer : `${before}, ${peer}`,
    "X-Forwarded-Host",
    trusted("x-forwarded-host") ?? options.authority,
    "X-Forwarded-Proto",
    trusted("x-forwarded-proto") ?? options.scheme,
  ];
}

/** How the body ends (RFC 9112, section 6.3). The parser has refused what is ambiguous. */
function framingFields({ headers, method }: IncomingMessage): string[] {
  if (headers["transfer-encoding"] !== undefined) return ["Transfer-Encoding", "chunked"];
  const length = headers["content-length"];
  if (length !== undefined) return ["Content-Length", length];
  return method === "POST" || method === "PUT" || method === "PATCH" ? ["Content-Length", "0"] : [];
}

function addressOf(address: string): string {
  const mapped = /^::ffff:(?<address>[0-9.]+)$/.exec(address)?.groups?.["address"];
  if (mapped !== undefined) return mapped;
  return isIPv6(address) ? address.replace(/%.*$/, "") : address;
}

const absoluteForm = /^https?:\/\/(?<authority>[^/?#]*)(?<path>[^#]*)/i;

/**
 * Which authority a request is for, and the path on it. The authority of a
 * request-target in absolute form replaces Host (RFC 9112, section 3.2.2).
 */
export function readTarget({ url = "/", headers }: Pick<IncomingMessage, "url" | "headers">): {
  authority: string;
  path: string;
} {
  const groups = absoluteForm.exec(url)?.groups;
  if (groups === undefined) return { authority: headers.host ?? "", path: url };
  const { authority = "", path = "" } = groups;
  return { authority, path: path.startsWith("/") ? path : `/${path}` };
}
