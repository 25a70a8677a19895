import type { IncomingMessage } from "node:http";
import { WireError } from "@opencomputer/protocol/api";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { WebSocket } from "ws";

/** How a WebSocket ends whose key was revoked: 1008 is a violation of policy (RFC 6455, section 7.4.1). */
const keyRevoked = { code: 1008, reason: "the API key was revoked" };
/** A client has this long to complete the closing handshake of its WebSocket. */
const closeMilliseconds = 250;

/**
 * The requests and WebSockets under way that an API key has opened, so that
 * they end when the key is revoked. Every process looks its own keys up in the
 * database: a revocation by another one holds here, too.
 */
export interface OpenRequests {
  /** The hook that follows a request with a key until its response or WebSocket has ended. */
  follow(request: FastifyRequest, reply: FastifyReply): Promise<void>;
  /** Notes the WebSocket that a request has become. */
  upgraded(request: IncomingMessage, webSocket: WebSocket): void;
  /** Ends what revoked keys have opened. */
  endRevoked(): Promise<void>;
}

export function createOpenRequests(deps: {
  /** Returns those of the keys that were not revoked. */
  listLive: (apiKeyIds: readonly string[]) => Promise<readonly string[]>;
}): OpenRequests {
  const byKey = new Map<string, Map<IncomingMessage, () => void>>();
  const webSockets = new WeakMap<IncomingMessage, WebSocket>();

  function end(request: IncomingMessage, endResponse: () => void): void {
    const webSocket = webSockets.get(request);
    if (webSocket === undefined) {
      endResponse();
      return;
    }
    // The client's close frame cannot be read while its input is paused.
    webSocket.resume();
    webSocket.close(keyRevoked.code, keyRevoked.reason);
    setTimeout(() => webSocket.terminate(), closeMilliseconds).unref();
  }

  return {
    async follow({ apiKeyId, raw, ws }, reply) {
      if (apiKeyId === null) return;
      const requests = byKey.get(apiKeyId) ?? new Map<IncomingMessage, () => void>();
      byKey.set(
        apiKeyId,
        requests.set(raw, () => breakOff(reply)),
      );
      const forget = (): void => {
        requests.delete(raw);
        if (requests.size === 0 && byKey.get(apiKeyId) === requests) byKey.delete(apiKeyId);
      };
      const ending = ws ? raw.socket : reply.raw;
      if (ending.destroyed) forget();
      else ending.once("close", forget);
    },

    upgraded(request, webSocket) {
      webSockets.set(request, webSocket);
    },

    async endRevoked() {
      const ids = [...byKey.keys()];
      if (ids.length === 0) return;
      const live = new Set(await deps.listLive(ids));
      for (const id of ids) {
        if (live.has(id)) continue;
        for (const [request, endResponse] of [...(byKey.get(id) ?? [])]) end(request, endResponse);
      }
    },
  };
}

/**
 * Ends a request and its connection: with an error where no response has
 * begun, past the response itself, so that the work for it is aborted as if the
 * client had closed the connection.
 */
function breakOff({ raw }: FastifyReply): void {
  const { socket } = raw;
  if (socket === null || raw.headersSent) {
    raw.destroy();
    return;
  }
  const error = new WireError("invalid_api_key", "The API key was revoked");
  const body = JSON.stringify(error.toBody());
  socket.end(
    `HTTP/1.1 ${error.status} Forbidden\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}
