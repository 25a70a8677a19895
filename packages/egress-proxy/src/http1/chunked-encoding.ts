import type { Field } from "./fields.ts";

/** Fields that must not come after a body (RFC 9110 §6.5.1): they steer framing and routing. */
const forbiddenTrailers = new Set([
  "connection",
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "host",
  "keep-alive",
  "opencomputer-egress",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** The line before a chunk of this many octets. */
export function chunkStart(length: number): string {
  return `${length.toString(16)}\r\n`;
}

/** The line after a chunk's data. */
export const chunkEnd = "\r\n";

/** The last chunk and the trailer section. */
export function chunkedEnd(trailers: readonly Field[]): string {
  let text = "0\r\n";
  for (const field of trailers) {
    if (!forbiddenTrailers.has(field.lowerName)) text += `${field.name}: ${field.value}\r\n`;
  }
  return `${text}\r\n`;
}
