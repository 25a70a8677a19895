import type { IncomingMessage } from "node:http";
import { hostOfAuthority, parsePreviewHost } from "@opencomputer/protocol/wire";
import type { OpenPreview } from "../previews/preview-repository.ts";
import type { PreviewSessions } from "../previews/preview-sessions.ts";
import { matchesPreviewToken } from "../previews/preview-token.ts";
import { sessionCookieValues } from "./session-cookie.ts";

const safeMethods: readonly string[] = ["GET", "HEAD", "OPTIONS"];

export type Authorization =
  | { isAllowed: true; dropsAuthorization: boolean }
  | { isAllowed: false; error: string };

/**
 * Whether a request may reach a preview: with the sandbox's token in
 * `X-OC-Preview-Token` or as `Authorization: Bearer`, or with the cookie of a
 * link. The others of these fields are then the sandbox's.
 *
 * The cookie does not let a page of another site write or open a WebSocket: previews of other sandboxes are of the same site, so SameSite
 * does not keep it from them.
 */
export function authorizePreview(
  { headers, method }: Pick<IncomingMessage, "headers" | "method">,
  preview: Pick<OpenPreview, "id" | "sandboxId" | "previewTokenHash">,
  { host, sandboxDomain }: { host: string; sandboxDomain: string },
  sessions: PreviewSessions,
): Authorization {
  const tokenHash = preview.previewTokenHash;
  const bearer = /^Bearer +(?<token>\S+) *$/i.exec(headers.authorization ?? "")?.groups?.["token"];
  if (tokenHash === null) return { isAllowed: true, dropsAuthorization: false };
  const matches = (token: string | undefined) =>
    token !== undefined && matchesPreviewToken(token, tokenHash);
  const field = headers["x-oc-preview-token"];
  const token = typeof field === "string" && field !== "" ? field : undefined;
  const isBearer = matches(bearer);
  const values = sessionCookieValues(headers.cookie);
  const session = { previewId: preview.id, host, tokenHash };
  if (isBearer || matches(token)) return { isAllowed: true, dropsAuthorization: isBearer };
  if (values.some((value) => sessions.verify(session, value))) {
    const onlyReads = safeMethods.includes(method ?? "GET") && headers.upgrade === undefined;
    const page = headers.origin;
    if (onlyReads || page === undefined || isOwnPage(page)) {
      return { isAllowed: true, dropsAuthorization: false };
    }
    return { isAllowed: false, error: "the cookie of a preview opens it to its own pages alone" };
  }
  function isOwnPage(origin: string): boolean {
    if (!/^https?:/.test(origin) || !URL.canParse(origin)) return false;
    const from = hostOfAuthority(new URL(origin).host);
    if (from === undefined) return false;
    return from === host || parsePreviewHost(from, sandboxDomain)?.sandboxId === preview.sandboxId;
  }
  const hasTried = bearer !== undefined || token !== undefined;
  return {
    isAllowed: false,
    error: hasTried ? "invalid preview token" : "preview URL requires authentication",
  };
}
