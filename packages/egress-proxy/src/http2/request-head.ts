import { type Field, fieldOf, isToken } from "../http/fields.ts";
import { malformed } from "../http/http-syntax-error.ts";
import type { RequestHead } from "../http/message-heads.ts";
import { createWebSocketKey, webSocketKey } from "../http/web-socket-key.ts";
import { readFields } from "./read-fields.ts";

/** Characters that a target may have: no space, no control character, no fragment. */
const targetPattern = /^[\x21\x22\x24-\x7e\x80-\xff]+$/;

/**
 * Reads the head of a request from names and values as `node:http2` hands them
 * out. The authority becomes the field `Host`, so that the rules for a request's
 * destination are the same in every version of HTTP. An extended CONNECT to
 * websocket becomes the `GET` that opens one over HTTP/1.1.
 *
 * @throws {HttpSyntaxError}
 */
export function readRequestHead(raw: readonly string[], scheme: string): RequestHead {
  const { pseudo, fields } = readFields(raw);
  const method = pseudo.get(":method");
  const target = pseudo.get(":path");
  if (method === undefined || !isToken(method)) throw malformed("the method is not a token");
  const protocol = pseudo.get(":protocol");
  if (protocol !== undefined && !isWebSocketConnect(method, protocol)) {
    throw malformed("extended CONNECT is served for the protocol websocket alone");
  }
  if (method === "CONNECT" && protocol === undefined) {
    return { method, target: pseudo.get(":authority") ?? "", minorVersion: 1, fields };
  }
  if (target === undefined || !targetPattern.test(target)) {
    throw malformed("the path is missing, or holds a space, a control character or a fragment");
  }
  if (!target.startsWith("/") && !(target === "*" && method === "OPTIONS")) {
    throw malformed("the path does not begin with a slash");
  }
  if (pseudo.get(":scheme")?.toLowerCase() !== scheme) {
    throw malformed(`the scheme is not ${scheme}`);
  }
  const withAuthority = withHost(fields, pseudo.get(":authority"));
  return protocol === undefined
    ? { method, target, minorVersion: 1, fields: withAuthority }
    : { method: "GET", target, minorVersion: 1, fields: withUpgrade(withAuthority, protocol) };
}

/** Whether a request is an extended CONNECT (RFC 8441 §4). */
export function isExtendedConnect(raw: readonly string[]): boolean {
  return raw.some((name, at) => at % 2 === 0 && name === ":protocol");
}

/** RFC 8441 §5: the method is CONNECT, and the protocol has the name that it has in `Upgrade`. */
function isWebSocketConnect(method: string, protocol: string): boolean {
  return method === "CONNECT" && protocol.toLowerCase() === "websocket";
}

/**
 * The fields that open a WebSocket over HTTP/1.1, which state what the
 * pseudo-header fields did (RFC 8441 §5). The proxy makes the key: there is none over HTTP/2.
 */
function withUpgrade(fields: readonly Field[], protocol: string): readonly Field[] {
  return [
    ...fields.filter(({ lowerName }) => lowerName !== webSocketKey),
    fieldOf("Connection", "Upgrade"),
    fieldOf("Upgrade", protocol),
    fieldOf("Sec-WebSocket-Key", createWebSocketKey()),
  ];
}

/** RFC 9113 §8.3.1: an authority and a `Host` next to it name the same place. */
function withHost(fields: readonly Field[], authority: string | undefined): readonly Field[] {
  if (authority === undefined) return fields;
  const others = fields.filter(({ lowerName, value }) => {
    if (lowerName !== "host") return true;
    if (value.toLowerCase() === authority.toLowerCase()) return false;
    throw malformed("the Host header and the authority name different places");
  });
  return [{ name: "host", lowerName: "host", value: authority }, ...others];
}
