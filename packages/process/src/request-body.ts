import type { IncomingHttpHeaders } from "node:http";

/** Whether a request has a body, one of an unknown length included (RFC 9112, section 6.3). */
export function hasRequestBody(
  headers: Pick<IncomingHttpHeaders, "transfer-encoding" | "content-length">,
): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
}
