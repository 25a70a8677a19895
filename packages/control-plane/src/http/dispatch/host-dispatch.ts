import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import type { Duplex } from "node:stream";
import { WireError } from "@opencomputer/protocol/api";
import { openUpgradeResponse } from "../../preview-gateway/open-upgrade-response.ts";
import type { PreviewGateway } from "../../preview-gateway/preview-gateway.ts";
import type { HostPolicy } from "./host-policy.ts";

/** Connections without a request are kept this long, as Fastify does by default. */
const keepAliveMilliseconds = 72_000;

/**
 * An HTTP server that gives each request to the previews or to the API, by its
 * host, and refuses one for a host that is neither's.
 */
export function createHttpServer(
  serveApi: RequestListener,
  previewGateway: PreviewGateway,
  hostPolicy: HostPolicy,
  headerBytesMax: number,
): Server {
  const serve: RequestListener = (request, response) => {
    const refusal = refusalOf(() => hostPolicy.assertHost(request));
    if (refusal === undefined) serveApi(request, response);
    else refuse(response, refusal);
  };
  const dispatch: RequestListener = (request, response) =>
    previewGateway.request(request, response, () => serve(request, response));
  const server = createServer(
    { maxHeaderSize: headerBytesMax, shouldUpgradeCallback: isWebSocketUpgrade },
    dispatch,
  );
  // A server in a sandbox decides by itself whether it wants the body.
  server.on("checkContinue", (request, response) =>
    previewGateway.request(request, response, () => {
      response.writeContinue();
      serve(request, response);
    }),
  );
  // Any other expectation may be ignored (RFC 9110, section 10.1.1).
  server.on("checkExpectation", dispatch);
  server.keepAliveTimeout = keepAliveMilliseconds;
  // An upload takes as long as it takes; its head has node:http's own time-out.
  server.requestTimeout = 0;
  return server;
}

/**
 * Of other protocols a server may ignore the wish (RFC 9110, section 7.8): clients such as Java's
 * offer `h2c` in every request.
 */
function isWebSocketUpgrade({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === "websocket";
}

/** Puts the previews before whatever listens for upgrades by now. */
export function dispatchUpgrades(
  server: Server,
  previewGateway: PreviewGateway,
  hostPolicy: HostPolicy,
): void {
  const listeners = server.listeners("upgrade");
  server.removeAllListeners("upgrade");
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) =>
    previewGateway.upgrade(request, socket, head, () => {
      const refusal = refusalOf(() => {
        hostPolicy.assertHost(request);
        hostPolicy.assertOrigin(request.headers);
      });
      if (refusal !== undefined) return refuse(openUpgradeResponse(request), refusal);
      for (const listener of listeners) listener.call(server, request, socket, head);
    }),
  );
}

function refusalOf(check: () => void): WireError | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (error instanceof WireError) return error;
    throw error;
  }
}

/** What is left of the request is not read. */
function refuse(response: ServerResponse, error: WireError): void {
  const body = JSON.stringify(error.toBody());
  response.writeHead(error.status, {
    "Content-Type": "application/json; charset=utf-8",
    "Content-Length": Buffer.byteLength(body),
    Connection: "close",
  });
  response.end(body);
}
