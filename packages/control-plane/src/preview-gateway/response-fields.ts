import { fieldsOf, hopByHopNames, type RawFields } from "./hop-by-hop.ts";
import { isSessionCookie } from "./session-cookie.ts";

/**
 * The fields of a response of the sandbox's server as the visitor gets them.
 * No cookie reaches beyond the host that set it, and none replaces the
 * gateway's own. Alt-Svc, which would lead past the gateway, is left out.
 *
 * @param host The visitor's host, in lower case and without port.
 */
export function responseFields(
  raw: RawFields,
  { host, isChunked }: { host: string; isChunked: boolean },
): string[] {
  const dropped = hopByHopNames(raw);
  const fields: string[] = [];
  for (const { name, lower, value } of fieldsOf(raw)) {
    if (dropped.has(lower) || lower === "alt-svc") continue;
    if (lower === "trailer" && !isChunked) continue;
    if (lower !== "set-cookie") fields.push(name, value);
    else if (!isSessionCookie(value)) fields.push(name, withoutForeignDomain(value, host));
  }
  return fields;
}

/** Fields after the body, without those that must not be there (RFC 9110, section 6.5.1). */
export function trailerFields(raw: RawFields): [string, string][] {
  const dropped = hopByHopNames(raw);
  return [...fieldsOf(raw)]
    .filter(({ lower }) => !dropped.has(lower) && !forbiddenInTrailers.has(lower))
    .map(({ name, value }) => [name, value]);
}

const forbiddenInTrailers: ReadonlySet<string> = new Set([
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "host",
  "set-cookie",
  "trailer",
]);

/**
 * A Set-Cookie value whose `Domain` attributes are gone unless they are the
 * host itself (RFC 6265, section 5.2.3): the cookie is then of that host alone.
 */
export function withoutForeignDomain(cookie: string, host: string): string {
  const [pair = "", ...attributes] = cookie.split(";");
  const kept = attributes.filter((attribute) => {
    const [name = "", domain = ""] = attribute.split("=", 2);
    if (name.trim().toLowerCase() !== "domain") return true;
    return domain.trim().toLowerCase() === host;
  });
  return [pair, ...kept].join(";");
}
