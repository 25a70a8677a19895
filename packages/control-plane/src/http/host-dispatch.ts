import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { Duplex } from "node:stream";
import type { PreviewGateway } from "../preview-gateway/preview-gateway.ts";

/** Connections without a request are kept this long, as Fastify does by default. */
const keepAliveMilliseconds = 72_000;

/** An HTTP server that gives each request to the previews or to the API, by its host. */
export function createHttpServer(
  serveApi: RequestListener,
  previewGateway: PreviewGateway,
  headerBytesMax: number,
): Server {
  const server = createServer({ maxHeaderSize: headerBytesMax }, (request, response) =>
    previewGateway.request(request, response, () => serveApi(request, response)),
  );
  // A server in a sandbox decides by itself whether it wants the body.
  server.on("checkContinue", (request, response) =>
    previewGateway.request(request, response, () => {
      response.writeContinue();
      serveApi(request, response);
    }),
  );
  server.keepAliveTimeout = keepAliveMilliseconds;
  // An upload takes as long as it takes; its head has node:http's own time-out.
  server.requestTimeout = 0;
  return server;
}

/** Puts the previews before whatever listens for upgrades by now. */
export function dispatchUpgrades(server: Server, previewGateway: PreviewGateway): void {
  const listeners = server.listeners("upgrade");
  server.removeAllListeners("upgrade");
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) =>
    previewGateway.upgrade(request, socket, head, () => {
      for (const listener of listeners) listener.call(server, request, socket, head);
    }),
  );
}
