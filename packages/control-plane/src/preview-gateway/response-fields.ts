import { fieldsOf, hopByHopNames, type RawFields } from "./hop-by-hop.ts";
import { isSessionCookie } from "./session-cookie.ts";

/**
 * The fields of a response of the sandbox's server as the visitor gets them.
 * No cookie reaches beyond the host that set it, and none replaces the
 * gateway's own; what Clear-Site-Data clears is that host's alone. Alt-Svc, which would lead
 * past the gateway, is left out.
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
    if (lower === "clear-site-data") {
      const ofOrigin = clearedOfOrigin(value);
      if (ofOrigin !== "") fields.push(name, ofOrigin);
    } else if (lower !== "set-cookie") fields.push(name, value);
    else if (!isSessionCookie(value)) fields.push(name, withoutForeignDomain(value, host));
  }
  return fields;
}

const directivesOfOrigin = ['"cache"', '"storage"', '"executionContexts"'];

/**
 * The part of a Clear-Site-Data value that concerns the origin alone. `"cookies"` clears those of all
 * hosts of the registrable domain: of other sandboxes' previews, and of the dashboard.
 */
export function clearedOfOrigin(value: string): string {
  const directives = value.split(",").map((directive) => directive.trim());
  const isAll = directives.includes('"*"');
  return directivesOfOrigin
    .filter((directive) => isAll || directives.includes(directive))
    .join(", ");
}

/** Fields after the body, without those that must not be there (RFC 9110, section 6.5.1). */
export function trailerFields(raw: RawFields): [string, string][] {
  const dropped = hopByHopNames(raw);
  return [...fieldsOf(raw)]
    .filter(({ lower }) => !dropped.has(lower) && !forbiddenInTrailers.has(lower))
    .map(({ name, value }) => [name, value]);
}

const forbiddenInTrailers: ReadonlySet<string> = new Set([
  "clear-site-data",
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
