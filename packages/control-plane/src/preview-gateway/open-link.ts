import type { IncomingMessage, ServerResponse } from "node:http";
import { limits } from "@opencomputer/protocol/api";
import type { OpenPreview, PreviewRepository } from "../previews/preview-repository.ts";
import type { PreviewSessions } from "../previews/preview-sessions.ts";
import { hashPreviewToken } from "../previews/preview-token.ts";
import { sendFailure } from "./failure-page.ts";
import { sessionCookie } from "./session-cookie.ts";

const codePattern = /^[A-Za-z0-9_-]{43}$/;

/**
 * Serves the link of a preview: a code that was not used yet becomes a cookie
 * of this host, and the browser is redirected to `/`. Only a GET uses it up.
 */
export async function openLink(
  deps: { previews: PreviewRepository; sessions: PreviewSessions; now: () => number },
  { id: previewId, previewTokenHash: tokenHash }: OpenPreview & { previewTokenHash: string },
  { host, query, isSecure }: { host: string; query: URLSearchParams; isSecure: boolean },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const code = query.get("code") ?? "";
  const isTaken =
    request.method === "GET" &&
    codePattern.test(code) &&
    (await deps.previews.takeLink(previewId, hashPreviewToken(code), new Date(deps.now())));
  if (!isTaken) {
    sendFailure(request, response, {
      status: 401,
      title: "This link no longer works",
      body: {
        error: "The link was already used or has expired: ask for another",
        code: "preview_link_expired",
      },
    });
    return;
  }
  const seconds = limits.previewSessionSecondsMax;
  const expires = Math.ceil(deps.now() / 1000) + seconds;
  const value = deps.sessions.issue({ previewId, host, tokenHash }, expires);
  response.writeHead(303, {
    Location: "/",
    "Set-Cookie": sessionCookie(value, { isSecure, seconds }),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Length": 0,
  });
  response.end();
}
