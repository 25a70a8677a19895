import type { Field } from "../http/fields.ts";
import { isForbiddenTrailer } from "../http/forbidden-trailers.ts";

/** Returns the line before a chunk of this many bytes. */
export function chunkStart(length: number): string {
  return `${length.toString(16)}\r\n`;
}

/** The line after a chunk's data. */
export const chunkEnd = "\r\n";

/** Returns the last chunk and the trailer section. */
export function chunkedEnd(trailers: readonly Field[]): string {
  let text = "0\r\n";
  for (const field of trailers) {
    if (!isForbiddenTrailer(field.lowerName)) text += `${field.name}: ${field.value}\r\n`;
  }
  return `${text}\r\n`;
}
