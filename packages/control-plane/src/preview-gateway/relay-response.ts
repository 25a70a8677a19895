import type { IncomingMessage, ServerResponse } from "node:http";
import { fieldsOf } from "./hop-by-hop.ts";
import { responseFields, trailerFields } from "./response-fields.ts";

/**
 * Passes a response of the sandbox's server on as it comes: its head at once,
 * its body at the visitor's pace, its trailers where there can be any.
 *
 * @throws what node:http refuses to send; nothing was sent by then.
 */
export function relayResponse(
  incoming: IncomingMessage,
  response: ServerResponse,
  host: string,
): void {
  const { statusCode = 502, statusMessage = "", rawHeaders, headers } = incoming;
  const coding = headers["transfer-encoding"]?.toLowerCase();
  if (coding !== undefined && coding !== "chunked") {
    throw new Error(`The response has the transfer coding ${coding}, which cannot be forwarded`);
  }
  const hasBody = response.req.method !== "HEAD" && statusCode !== 204 && statusCode !== 304;
  const isChunked =
    hasBody &&
    headers["content-length"] === undefined &&
    response.req.httpVersionMajor === 1 &&
    response.req.httpVersionMinor >= 1;
  response.writeHead(statusCode, statusMessage, responseFields(rawHeaders, { host, isChunked }));
  response.flushHeaders();
  incoming.once("error", () => response.destroy());
  incoming.once("end", () => {
    if (isChunked && incoming.rawTrailers.length > 0) {
      response.addTrailers(trailerFields(incoming.rawTrailers));
    }
    response.end();
  });
  incoming.pipe(response, { end: false });
}

/** Passes an interim response (1xx) on, as far as node:http can. */
export function relayInterim(
  { statusCode, rawHeaders }: { statusCode: number; rawHeaders: string[] },
  response: ServerResponse,
): void {
  if (response.headersSent) return;
  if (statusCode === 100) response.writeContinue();
  if (statusCode === 102) response.writeProcessing();
  if (statusCode !== 103) return;
  const links = [...fieldsOf(rawHeaders)].filter(({ lower }) => lower === "link");
  try {
    response.writeEarlyHints({ link: links.map(({ value }) => value) });
  } catch {
    // Hints that node:http finds malformed are left out; the response itself follows.
  }
}
