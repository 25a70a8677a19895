import { quoted } from "./text.ts";

/**
 * Host names and the patterns that match them; all processes use this
 * definition. A pattern is an exact host, or `*.` and a suffix, which matches
 * every host below the suffix at any depth, and not the suffix itself.
 */

const labelPattern = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
const forbiddenCharacters = /[\s/:?#@[\]\\%*]/;

export class HostPatternError extends Error {
  readonly reason: string;

  constructor(pattern: string, reason: string) {
    super(`Host pattern ${quoted(pattern)} ${reason}`);
    this.name = "HostPatternError";
    this.reason = reason;
  }
}

/**
 * The canonical form of a host name: lower case, IDNA to ASCII, one trailing
 * dot dropped; `undefined` when the text is no host name.
 */
export function normalizeHost(text: string): string | undefined {
  if (text.length === 0 || text.length > 1024 || forbiddenCharacters.test(text)) return undefined;
  const ascii = toAscii(text);
  if (ascii === undefined) return undefined;
  const host = ascii.endsWith(".") ? ascii.slice(0, -1) : ascii;
  if (host.length === 0 || host.length > 253) return undefined;
  return host.split(".").every((label) => labelPattern.test(label)) ? host : undefined;
}

/**
 * The canonical form of an allowlist pattern.
 *
 * @throws {HostPatternError} for an empty text, a scheme, a port, a path, a
 * bare `*`, or a `*` anywhere but in front.
 */
export function normalizeHostPattern(text: string): string {
  const pattern = text.trim();
  if (pattern === "") {
    throw new HostPatternError(text, "is empty: write a host such as api.example.com");
  }
  if (pattern === "*" || pattern === "*.") {
    throw new HostPatternError(text, "would match every host: leave the list empty for that");
  }
  if (pattern.includes("://")) {
    throw new HostPatternError(text, "has a scheme: write only the host");
  }
  if (pattern.includes("/")) throw new HostPatternError(text, "has a path: write only the host");
  if (pattern.includes(":")) throw new HostPatternError(text, "has a port: write only the host");
  const wildcard = pattern.startsWith("*.");
  const suffix = wildcard ? pattern.slice(2) : pattern;
  if (suffix.includes("*")) {
    throw new HostPatternError(text, "has a * that is not its first label: write *.example.com");
  }
  const host = normalizeHost(suffix);
  if (host === undefined) throw new HostPatternError(text, "is not a valid host name");
  return wildcard ? `*.${host}` : host;
}

/** Whether a canonical pattern matches a canonical host; both with the same port, or without one. */
export function hostMatches(pattern: string, host: string): boolean {
  if (!pattern.startsWith("*.")) return pattern === host;
  const suffix = pattern.slice(1);
  return host.length > suffix.length && host.endsWith(suffix);
}

/** Whether any of the patterns matches the host; false for an empty list. */
export function anyHostMatches(patterns: readonly string[], host: string): boolean {
  return patterns.some((pattern) => hostMatches(pattern, host));
}

function toAscii(text: string): string | undefined {
  try {
    return new URL(`https://${text}/`).hostname;
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
