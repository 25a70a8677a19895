import type { IncomingMessage } from "node:http";
import type { OpenPreview } from "../previews/preview-repository.ts";
import type { PreviewSessions } from "../previews/preview-sessions.ts";
import { matchesPreviewToken } from "../previews/preview-token.ts";
import { sessionCookieValues } from "./session-cookie.ts";

export type Authorization =
  | { isAllowed: true; dropsAuthorization: boolean }
  | { isAllowed: false; error: string };

/**
 * Whether a request may reach a preview: with the sandbox's token in
 * `X-OC-Preview-Token` or as `Authorization: Bearer`, or with the cookie of a
 * link. Where one opens it, the others are the sandbox's own.
 */
export function authorizePreview(
  { headers }: Pick<IncomingMessage, "headers">,
  preview: Pick<OpenPreview, "id" | "previewTokenHash">,
  host: string,
  sessions: PreviewSessions,
): Authorization {
  const tokenHash = preview.previewTokenHash;
  const bearer = /^Bearer +(?<token>\S+) *$/i.exec(headers.authorization ?? "")?.groups?.["token"];
  if (tokenHash === null) return { isAllowed: true, dropsAuthorization: false };
  const matches = (token: string | undefined) =>
    token !== undefined && matchesPreviewToken(token, tokenHash);
  const field = headers["x-oc-preview-token"];
  const token = typeof field === "string" ? field : undefined;
  const isBearer = matches(bearer);
  const values = sessionCookieValues(headers.cookie);
  const session = { previewId: preview.id, host, tokenHash };
  if (isBearer || matches(token) || values.some((value) => sessions.verify(session, value))) {
    return { isAllowed: true, dropsAuthorization: isBearer };
  }
  const hasTried = bearer !== undefined || token !== undefined;
  return {
    isAllowed: false,
    error: hasTried ? "invalid preview token" : "preview URL requires authentication",
  };
}
