import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import {
  anyHostMatches,
  hostOfAuthority,
  isInSandboxDomain,
  WireError,
} from "@opencomputer/protocol";
import { createIsApiName } from "./api-names.ts";

/** Longest host that an error quotes. */
const quotedCharactersMax = 100;

/**
 * Which hosts and origins the API answers for. A browser sends a page's own
 * host to whatever address that name resolves to, so a page could reach a
 * service on 127.0.0.1 as its own origin if every name were served (DNS
 * rebinding). An address in the place of a name resolves to nothing else.
 */
export interface HostPolicy {
  /** @throws {WireError} `host_not_allowed`, `invalid_request` */
  assertHost(request: Pick<IncomingMessage, "url" | "headers" | "rawHeaders">): void;
  /**
   * Refuses a page of another site, and every preview's. A client that is no browser sends no Origin.
   *
   * @throws {WireError} `origin_not_allowed`
   */
  assertOrigin(headers: IncomingMessage["headers"]): void;
}

export function createHostPolicy(options: {
  /** Canonical host patterns of OPENCOMPUTER_ALLOWED_HOSTS. */
  allowedHosts: readonly string[];
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

  return {
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
        `This service does not answer for the host ${quoted(refused)}: call it by its IP address or as localhost, or have the host added to OPENCOMPUTER_ALLOWED_HOSTS${publicUrl === undefined ? ", or OPENCOMPUTER_PUBLIC_URL set to where clients reach it" : ""}`,
      );
    },

    assertOrigin({ origin, host }) {
      if (origin === undefined) return;
      const from = parseOrigin(origin);
      const isOwn =
        from !== undefined &&
        (from.host === host?.toLowerCase() ||
          from.origin === publicUrl?.origin ||
          (anyHostMatches(options.allowedHosts, from.hostname) &&
            !isInSandboxDomain(from.hostname, options.sandboxDomain)));
      if (isOwn) return;
      throw new WireError(
        "origin_not_allowed",
        `A page of ${quoted(origin)} may not open a WebSocket here: only pages of this service's own host may, and those of hosts in OPENCOMPUTER_ALLOWED_HOSTS`,
      );
    },
  };
}

function parseOrigin(origin: string): URL | undefined {
  if (!/^https?:\/\//i.test(origin)) return undefined;
  return URL.canParse(origin) ? new URL(origin) : undefined;
}

function quoted(text: string): string {
  const cut = text.length > quotedCharactersMax ? `${text.slice(0, quotedCharactersMax)}…` : text;
  return JSON.stringify(cut);
}
