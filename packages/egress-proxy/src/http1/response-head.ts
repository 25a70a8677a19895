import { lineEnd, parseFields, refuseForbiddenBytes } from "../http/fields.ts";
import { malformed } from "../http/http-syntax-error.ts";
import type { ResponseHead } from "../http/message-heads.ts";

const statusLinePattern = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: (.*))?$/;

/**
 * Parses the head of a response (RFC 9112 §4 and §5), without its final empty line.
 *
 * @throws {HttpSyntaxError}
 */
export function parseResponseHead(bytes: Buffer): ResponseHead {
  refuseForbiddenBytes(bytes);
  const text = bytes.toString("latin1");
  const statusLineEnd = lineEnd(text, 0);
  const [, minor, status, reason] = statusLinePattern.exec(text.slice(0, statusLineEnd)) ?? [];
  if (minor === undefined || status === undefined) {
    throw malformed("the status line is not of the form HTTP/1.1 200 reason");
  }
  return {
    minorVersion: minor === "1" ? 1 : 0,
    status: Number(status),
    reason: reason ?? "",
    fields: parseFields(text, statusLineEnd + 2),
  };
}
