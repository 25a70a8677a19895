import { type Field, isToken, lineEnd, parseFields, refuseForbiddenOctets } from "./fields.ts";
import { HttpSyntaxError, malformed } from "./http-syntax-error.ts";

export interface RequestHead {
  readonly method: string;
  /** As it stood in the request line. */
  readonly target: string;
  /** 0 for HTTP/1.0, 1 for HTTP/1.1. */
  readonly minorVersion: 0 | 1;
  readonly fields: readonly Field[];
}

const requestLinePattern = /^([^ ]+) ([^ ]+) HTTP\/(\d)\.(\d)$/;

/**
 * Parses the head of a request (RFC 9112 §3 and §5), without its final empty line.
 *
 * @throws {HttpSyntaxError}
 */
export function parseRequestHead(octets: Buffer): RequestHead {
  refuseForbiddenOctets(octets);
  const text = octets.toString("latin1");
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
