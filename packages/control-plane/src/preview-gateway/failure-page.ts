import type { IncomingMessage, ServerResponse } from "node:http";

/** What the gateway itself responds with. `title` heads the page that browsers get. */
export interface PreviewFailure {
  status: number;
  title: string;
  body: { error: string; code?: string };
  headers?: Record<string, string>;
  /** Whether browsers get JSON too. */
  isJsonOnly?: boolean;
}

/** The same for every host without a preview, so that it reveals nothing. */
export const noSuchPreview: PreviewFailure = {
  status: 404,
  title: "Not found",
  body: { error: "not found", code: "not_found" },
};

/** Responds with a page where the request prefers HTML, else with JSON. */
export function sendFailure(
  request: IncomingMessage,
  response: ServerResponse,
  { status, title, body, headers, isJsonOnly }: PreviewFailure,
): void {
  const isPage = isJsonOnly !== true && prefersHtml(request.headers.accept);
  const content = isPage ? pageOf(title, body.error) : JSON.stringify(body);
  // What is left of the body is not read: the connection ends with the response.
  if (!request.complete) response.shouldKeepAlive = false;
  response.writeHead(status, {
    "Content-Type": isPage ? "text/html; charset=utf-8" : "application/json",
    "Content-Length": Buffer.byteLength(content),
    "Cache-Control": "no-store",
    Vary: "Accept",
    ...(isPage
      ? { "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'" }
      : {}),
    ...headers,
  });
  response.end(content);
}

function prefersHtml(accept = ""): boolean {
  return accept
    .split(",")
    .some((range) => /^\s*(text\/html|application\/xhtml\+xml)\s*(;|$)/i.test(range));
}

function pageOf(title: string, text: string): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escapeText(title)}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:40em;margin:15vh auto;padding:0 1em}</style></head>
<body><h1>${escapeText(title)}</h1><p>${escapeText(text)}</p></body></html>
`;
}

function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
