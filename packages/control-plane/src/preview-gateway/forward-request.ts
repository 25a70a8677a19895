import { type ClientRequest, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { Readable } from "node:stream";
import { limits } from "@opencomputer/protocol/api";
import { relayInterim, relayResponse } from "./relay-response.ts";
import { trailerFields } from "./response-fields.ts";
import { TunnelAgent, type TunnelTarget } from "./tunnel-agent.ts";

/** Each retry uses up an idle connection that the sandbox's server had closed already. */
const retriesMax = 8;
/** They are written without waiting for the visitor. */
const interimResponsesMax = 64;

/** A request as the sandbox's server gets it. */
export interface Forwarded {
  target: TunnelTarget;
  method: string;
  path: string;
  fields: string[];
  /** Its body; null when it has none, so that the request can be sent again. */
  body: (Readable & Partial<Pick<IncomingMessage, "rawTrailers">>) | null;
  /** The visitor's host, for cookies. */
  host: string;
  /** Ends the exchange: the sandbox was hibernated, or the token rotated. */
  signal: AbortSignal;
}

/**
 * Has the sandbox's server serve a request, and passes its response on.
 * Resolves when the response is complete, or when the visitor is gone.
 * Rejects when nothing was sent to the visitor yet.
 */
export function forwardRequest(
  agent: TunnelAgent,
  forwarded: Forwarded,
  response: ServerResponse,
): Promise<void> {
  // A visitor may leave while the sandbox is woken for it.
  if (response.destroyed) return Promise.resolve();
  return new Promise((resolve, reject) => {
    let current: ClientRequest | undefined;
    response.once("close", () => {
      current?.destroy();
      resolve();
    });
    const send = (retries: number): void => {
      const upstream = request({
        ...TunnelAgent.optionsOf(forwarded.target),
        agent,
        method: forwarded.method,
        path: forwarded.path,
        headers: forwarded.fields,
        maxHeaderSize: limits.previewHeadBytesMax,
        signal: forwarded.signal,
      });
      current = upstream;
      let interimResponses = 0;
      upstream.on("information", (interim) => {
        interimResponses += 1;
        if (interimResponses <= interimResponsesMax) relayInterim(interim, response);
        else
          upstream.destroy(
            new Error(`The server sent over ${interimResponsesMax} interim responses`),
          );
      });
      upstream.once("response", (incoming) => {
        try {
          relayResponse(incoming, response, forwarded.host);
        } catch (error) {
          upstream.destroy();
          reject(error);
        }
      });
      upstream.on("error", (error) => {
        if (response.headersSent) {
          // What was left of the body may still be on its way when a server responds early.
          if (!response.writableFinished && upstream.destroyed) response.destroy();
          return;
        }
        const isStale = upstream.reusedSocket && isConnectionLoss(error);
        if (isStale && isRepeatable(forwarded) && retries < retriesMax) send(retries + 1);
        else reject(forwarded.signal.aborted ? forwarded.signal.reason : error);
      });
      // node:http reports no error for a 101 that nobody asked for.
      upstream.once("close", () => {
        if (current === upstream && !response.headersSent) {
          reject(new Error("The server closed the connection without a response"));
        }
      });
      // The server may want the head before there is a body.
      upstream.flushHeaders();
      sendBody(forwarded.body, upstream);
    };
    send(0);
  });
}

function sendBody(body: Forwarded["body"], upstream: ClientRequest): void {
  if (body === null) {
    upstream.end();
    return;
  }
  body.pipe(upstream, { end: false });
  body.once("end", () => {
    const trailers = body.rawTrailers ?? [];
    if (trailers.length > 0) {
      upstream.addTrailers(trailerFields(trailers));
    }
    upstream.end();
  });
  body.once("error", () => upstream.destroy());
  // A server that wants no more of the body has responded: the rest is read and dropped.
  upstream.once("close", () => {
    body.unpipe(upstream);
    body.resume();
  });
}

/** Methods that mean the same when they are sent twice (RFC 9110, section 9.2.2). */
function isRepeatable({ method, body }: Forwarded): boolean {
  return body === null && ["GET", "HEAD", "OPTIONS", "TRACE", "DELETE", "PUT"].includes(method);
}

function isConnectionLoss(error: Error): boolean {
  const code = "code" in error ? error.code : undefined;
  return code === "ECONNRESET" || code === "EPIPE";
}
