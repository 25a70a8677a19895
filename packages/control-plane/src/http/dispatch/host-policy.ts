import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { anyHostMatches, WireError } from "@opencomputer/protocol/api";
import { hostOfAuthority, isInSandboxDomain } from "@opencomputer/protocol/wire";
import { createIsApiName } from "../../previews/api-names.ts";

/** Longest host that an error quotes. */
const quotedCharactersMax = 100;

/**
 * Decides which hosts and origins the API serves. A browser sends a page's own
 * host to whatever address that name resolves to, so a page could reach a
 * service on 127.0.0.1 as its own origin if every name were served (DNS
 * rebinding). An address instead of a name resolves to nothing else.
 */
export interface HostPolicy {
  /** @throws {WireError} `host_not_allowed`, `invalid_request` */
  assertHost(request: Pick<IncomingMessage, "url" | "headers" | "rawHeaders">): void;
  /**
   * Refuses pages of other sites and of previews. Clients other than browsers send no Origin.
   *
   * @throws {WireError} `origin_not_allowed`
   */
  assertOrigin(headers: IncomingMessage["headers"]): void;
  /** Whether scripts of a page of this origin may read the API's responses (CORS). */
  isCorsOrigin(origin: string): boolean;
  /**
   * Refuses all pages but those that this service serves itself, at the host
   * of the request or of the public URL.
   *
   * @throws {WireError} `origin_not_allowed`
   */
  assertOwnOrigin(headers: IncomingMessage["headers"]): void;
}

export function createHostPolicy(options: {
  /** Canonical host patterns of OPENCOMPUTER_ALLOWED_HOSTS. */
  allowedHosts: readonly string[];
  /** Origins of OPENCOMPUTER_CORS_ORIGINS. */
  corsOrigins: readonly string[];
  publicUrl: string | undefined;
  sandboxDomain: string;
}): HostPolicy {
  const publicUrl = options.publicUrl === undefined ? undefined : new URL(options.publicUrl);

  const isApiName = createIsApiName(options);

  function isAllowed(authority: string): boolean {
    const host = hostOfAuthority(authority);
    if (host === undefined) return false;
    return host === "localhost" || isIP(host.replace(/^\[|\]$/g, "")) !== 0 || isApiName(host);
  }

  /** Never of a preview: what it serves is a sandbox's. */
  const isCorsOrigin = (origin: string): boolean =>
    options.corsOrigins.includes(origin) &&
    !isInSandboxDomain(new URL(origin).hostname, options.sandboxDomain);

  function isServedHere(from: URL, host: string | undefined): boolean {
    return from.host === host?.toLowerCase() || from.origin === publicUrl?.origin;
  }

  return {
    isCorsOrigin,

    assertHost({ url = "/", headers, rawHeaders }) {
      const fields = rawHeaders.filter(
        (name, index) => index % 2 === 0 && name.toLowerCase() === "host",
      );
      if (fields.length > 1) {
        throw new WireError(
          "invalid_request",
          `A request has one Host field, found ${fields.length}: send one`,
        );
      }
      // HTTP/1.0 may leave it out, which no browser does.
      const authorities = headers.host === undefined ? [] : [headers.host];
      const absolute = /^[a-z][a-z0-9+.-]*:\/\/(?<authority>[^/?#]*)/i.exec(url)?.groups;
      if (absolute?.["authority"] !== undefined) authorities.push(absolute["authority"]);
      const refused = authorities.find((authority) => !isAllowed(authority));
      if (refused === undefined) return;
      throw new WireError(
        "host_not_allowed",
        `This service does not serve the host ${quoted(refused)}: call it by its IP address or as localhost, or have the host added to OPENCOMPUTER_ALLOWED_HOSTS${publicUrl === undefined ? ", or OPENCOMPUTER_PUBLIC_URL set to where clients reach it" : ""}`,
        { remediation: "OPENCOMPUTER_ALLOWED_HOSTS" },
      );
    },

    assertOrigin({ origin, host }) {
      if (origin === undefined) return;
      const from = parseOrigin(origin);
      const isOwn =
        from !== undefined &&
        (isServedHere(from, host) ||
          isCorsOrigin(from.origin) ||
          (anyHostMatches(options.allowedHosts, from.hostname) &&
            !isInSandboxDomain(from.hostname, options.sandboxDomain)));
      if (isOwn) return;
      throw new WireError(
        "origin_not_allowed",
        `A page of ${quoted(origin)} may not open a WebSocket here: only pages of this service's own host may, those of hosts in OPENCOMPUTER_ALLOWED_HOSTS, and those of origins in OPENCOMPUTER_CORS_ORIGINS`,
        { remediation: "OPENCOMPUTER_CORS_ORIGINS" },
      );
    },

    assertOwnOrigin({ origin, host }) {
      const from = origin === undefined ? undefined : parseOrigin(origin);
      if (from !== undefined && isServedHere(from, host)) return;
      throw new WireError(
        "origin_not_allowed",
        origin === undefined
          ? "The dashboard's requests name their origin, and this one has no Origin: send an X-API-Key instead"
          : `A page of ${quoted(origin)} may not use the session of the dashboard: open the dashboard at this service's own address`,
      );
    },
  };
}

function parseOrigin(origin: string): URL | undefined {
  if (!/^https?:\/\//i.test(origin)) return undefined;
  return URL.canParse(origin) ? new URL(origin) : undefined;
}

/** Text of a client as an error quotes it. */
export function quoted(text: string): string {
  const cut = text.length > quotedCharactersMax ? `${text.slice(0, quotedCharactersMax)}…` : text;
  return JSON.stringify(cut);
}
