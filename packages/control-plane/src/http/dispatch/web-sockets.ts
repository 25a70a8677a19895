import type { IncomingMessage } from "node:http";
import websocket from "@fastify/websocket";
import { limits, WireError } from "@opencomputer/protocol/api";
import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { Logger } from "pino";
import type { WebSocket } from "ws";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Whether the route takes WebSockets. */
    webSocket?: boolean;
  }
}

/** The server of the API, to which hooks and plugins are added. */
export type ApiServer = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  Logger,
  ZodTypeProvider
>;

/** Clients have this long to complete the closing handshake. */
const closeMilliseconds = 2_000;
const goingAway = { code: 1001, reason: "the service is restarting: attach again" };

/**
 * Lets routes take WebSockets. Hooks run before the upgrade, so whatever is
 * refused is refused in HTTP. On any other route an upgrade is refused, too:
 * its URL, which the plugin would log, may hold an API key. Those below
 * `/api/sandboxes/` are served without the prefix, too.
 */
export function addWebSockets(app: ApiServer): void {
  app.register(websocket, {
    options: { maxPayload: limits.webSocketMessageBytesMax, perMessageDeflate: false },
    errorHandler(error, socket: WebSocket, request) {
      request.log.info({ err: error, route: request.routeOptions.url }, "a WebSocket broke");
      socket.terminate();
    },
    preClose(done) {
      for (const client of app.websocketServer.clients) {
        client.close(goingAway.code, goingAway.reason);
        setTimeout(() => client.terminate(), closeMilliseconds).unref();
      }
      app.websocketServer.close();
      done();
    },
  });
  app.server.prependListener("upgrade", (request: IncomingMessage) => {
    if (request.url?.startsWith("/sandboxes/")) request.url = `/api${request.url}`;
  });
  app.addHook("onRequest", async (request) => {
    if (!request.ws) return;
    if (request.method !== "GET" || request.routeOptions.config.webSocket !== true) {
      const path = request.url.split("?", 1)[0];
      throw new WireError("not_found", `There is no WebSocket at ${path}`);
    }
  });
}

/**
 * Ends the connection of an upgrade that is refused before there is a route:
 * no hook of the plugin runs, and the HTTP server has given the socket away.
 */
export function endRefusedUpgrade({ raw }: FastifyRequest, reply: FastifyReply): void {
  if (raw.headers.upgrade === undefined) return;
  reply.raw.once("finish", () => raw.socket.destroySoon());
}
