import { isToken, lineEnd, parseFields, refuseForbiddenBytes } from "../http/fields.ts";
import { HttpSyntaxError, malformed } from "../http/http-syntax-error.ts";
import type { RequestHead } from "../http/message-heads.ts";

const requestLinePattern = /^([^ ]+) ([^ ]+) HTTP\/(\d)\.(\d)$/;

/**
 * Parses the head of a request (RFC 9112 §3 and §5), without its final empty line.
 *
 * @throws {HttpSyntaxError}
 */
export function parseRequestHead(bytes: Buffer): RequestHead {
  refuseForbiddenBytes(bytes);
  const text = bytes.toString("latin1");
  const requestLineEnd = lineEnd(text, 0);
  const match = requestLinePattern.exec(text.slice(0, requestLineEnd));
  const [, method, target, major, minor] = match ?? [];
  if (method === undefined || target === undefined || !isToken(method)) {
    throw malformed("the request line is not of the form METHOD target HTTP/1.1");
  }
  if (target.includes("\t") || target.includes("#")) {
    throw malformed("the request target holds a tab or a fragment");
  }
  if (major !== "1" || (minor !== "0" && minor !== "1")) {
    throw new HttpSyntaxError(
      "unsupported_version",
      `HTTP/${major}.${minor} is not supported: use HTTP/1.1`,
    );
  }
  return {
    method,
    target,
    minorVersion: minor === "1" ? 1 : 0,
    fields: parseFields(text, requestLineEnd + 2),
  };
}
