import { type OutgoingHttpHeaders, sensitiveHeaders } from "node:http2";
import type { Field } from "../http/fields.ts";

/** Adds the fields to alternating names and values, as `node:http2` takes them. */
export function pushFields(headers: string[], fields: readonly Field[]): void {
  for (const { lowerName, value } of fields) headers.push(lowerName, value);
}

/**
 * Keeps the fields of these lower-case names out of the tables of HPACK: what is
 * in them could be guessed by the length of what is sent later (RFC 7541 §7.1).
 */
export function keepOutOfTables(headers: string[], lowerNames: readonly string[]): void {
  if (lowerNames.length > 0) Object.assign(headers, { [sensitiveHeaders]: lowerNames });
}

/** Returns fields as an object: `node:http2` takes trailers in no other form. */
export function headersOf(fields: readonly Field[]): OutgoingHttpHeaders {
  const headers: Record<string, string | string[]> = Object.create(null);
  for (const { lowerName, value } of fields) {
    const earlier = headers[lowerName];
    if (earlier === undefined) headers[lowerName] = value;
    else if (typeof earlier === "string") headers[lowerName] = [earlier, value];
    else earlier.push(value);
  }
  return headers;
}
