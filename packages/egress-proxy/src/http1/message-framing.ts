import { type Field, fieldValues } from "../http/fields.ts";
import { malformed } from "../http/http-syntax-error.ts";
import type { Framing, RequestHead, ResponseHead } from "../http/message-heads.ts";

const none: Framing = { kind: "none" };
const chunked: Framing = { kind: "chunked" };
const untilClose: Framing = { kind: "until_close" };

/**
 * Framing of a request's body. Stricter than RFC 9112 §6.3 where leniency has
 * let requests be smuggled: a repeated Content-Length is refused even when
 * the values agree, and so is Transfer-Encoding together with Content-Length.
 *
 * @throws {HttpSyntaxError}
 */
export function requestFraming(head: RequestHead): Framing {
  return declaredFraming(head.fields, head.minorVersion) ?? none;
}

/**
 * Framing of the response to a request with this method.
 *
 * @throws {HttpSyntaxError}
 */
export function responseFraming(head: ResponseHead, requestMethod: string): Framing {
  const declared = declaredFraming(head.fields, head.minorVersion);
  if (requestMethod === "HEAD" || head.status < 200 || head.status === 204 || head.status === 304) {
    return none;
  }
  return declared ?? untilClose;
}

function declaredFraming(fields: readonly Field[], minorVersion: 0 | 1): Framing | undefined {
  const codings = fieldValues(fields, "transfer-encoding");
  const lengths = fieldValues(fields, "content-length");
  if (codings.length > 0) {
    if (lengths.length > 0) throw malformed("both Transfer-Encoding and Content-Length are given");
    if (minorVersion === 0) throw malformed("Transfer-Encoding is given in an HTTP/1.0 message");
    if (codings.length > 1 || codings[0]?.toLowerCase() !== "chunked") {
      throw malformed("the transfer coding is not chunked alone");
    }
    return chunked;
  }
  const [length] = lengths;
  if (length === undefined) return undefined;
  if (lengths.length > 1) throw malformed("Content-Length is given more than once");
  if (!/^\d{1,15}$/.test(length)) throw malformed("Content-Length is not a decimal number");
  return Number(length) === 0 ? none : { kind: "length", length: Number(length) };
}
