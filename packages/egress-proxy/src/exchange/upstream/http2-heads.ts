import { type Field, fieldOf, parseFieldLines } from "../../http/fields.ts";
import { malformed } from "../../http/http-syntax-error.ts";
import type { ResponseHead } from "../../http/message-heads.ts";
import { type OutgoingRequestHead, opensWebSocket } from "../../http/outgoing-heads.ts";
import { webSocketAccept, webSocketKey } from "../../http/web-socket-key.ts";
import { parseResponseHead } from "../../http1/response-head.ts";
import { readFields } from "../../http2/read-fields.ts";
import { keepOutOfTables, pushFields } from "../../http2/write-fields.ts";

/** The header list of a request (RFC 9113 §8.3.1); of one that opens a WebSocket as in RFC 8441 §4. */
export function requestHeaders(
  head: OutgoingRequestHead,
  contentLength: number | undefined,
  expect: string | undefined,
): readonly string[] {
  const isWebSocket = opensWebSocket(head);
  const headers = [
    ...(isWebSocket ? [":method", "CONNECT", ":protocol", "websocket"] : [":method", head.method]),
    ...[":scheme", "https", ":authority", head.host, ":path", head.target],
  ];
  pushFields(headers, isWebSocket ? withoutKey(head.fields) : head.fields);
  if (head.takesTrailers) headers.push("te", "trailers");
  if (expect !== undefined) headers.push("expect", expect);
  if (contentLength !== undefined) headers.push("content-length", String(contentLength));
  keepOutOfTables(headers, head.secretFields);
  return headers;
}

/**
 * Reads the head of a response. Where a value is redacted in it, what is left is
 * read as the lines of a head: a value may extend from a name into its field.
 */
export function readResponseHead(
  raw: readonly string[],
  redact: (head: Buffer) => Buffer,
): ResponseHead {
  const { pseudo, fields } = readFields(raw);
  const status = pseudo.get(":status") ?? "";
  if (!/^[1-9]\d\d$/.test(status)) throw malformed("the status is not a number of three digits");
  if (status === "101") throw malformed("101 is not a status of HTTP/2");
  let lines = `HTTP/1.1 ${status} `;
  for (const { name, value } of fields) lines += `\r\n${name}: ${value}`;
  const bytes = Buffer.from(lines, "latin1");
  const redacted = redact(bytes);
  if (redacted !== bytes) return parseResponseHead(redacted);
  return { minorVersion: 1, status: Number(status), reason: "", fields };
}

function withoutKey(fields: readonly Field[]): readonly Field[] {
  return fields.filter(({ lowerName }) => lowerName !== webSocketKey);
}

/** A success opens the WebSocket (RFC 8441 §5): what the head would be over HTTP/1.1. */
export function switchedHead(head: ResponseHead, accept: string): ResponseHead {
  if (head.status < 200 || head.status > 299) return head;
  return {
    ...head,
    status: 101,
    reason: "Switching Protocols",
    fields: [
      ...head.fields.filter(({ lowerName }) => lowerName !== webSocketAccept),
      fieldOf("Connection", "Upgrade"),
      fieldOf("Upgrade", "websocket"),
      fieldOf("Sec-WebSocket-Accept", accept),
    ],
  };
}

/** Reads the trailers of a response, each as the line of which `readLine` redacts values. */
export function readTrailers(
  raw: readonly string[],
  readLine: (line: string) => string,
): readonly Field[] {
  return readFields(raw).fields.flatMap((field) => {
    const line = `${field.name}: ${field.value}`;
    const redacted = readLine(line);
    return redacted === line ? [field] : parseFieldLines([redacted]);
  });
}
