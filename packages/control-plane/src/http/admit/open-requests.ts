import { type IncomingMessage, STATUS_CODES } from "node:http";
import { WireError } from "@opencomputer/protocol/api";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { WebSocket } from "ws";

/** 1008 is a violation of policy (RFC 6455, section 7.4.1). */
const closeCode = 1008;
/** A client has this long to complete the closing handshake of its WebSocket. */
const closeMilliseconds = 250;

/**
 * The requests and WebSockets under way that an API key or a session of the
 * dashboard has opened, so that they end when the key is revoked or the session
 * ends. Every process looks its own up in the database: what another one
 * revokes or ends holds here, too.
 */
export interface OpenRequests {
  /** The hook that follows a request with a key or session until its response or WebSocket has ended. */
  follow(request: FastifyRequest, reply: FastifyReply): Promise<void>;
  /** Notes the WebSocket that a request has become. */
  upgraded(request: IncomingMessage, webSocket: WebSocket): void;
  /** Ends what revoked keys, and sessions that have ended, have opened. */
  endUnauthorized(): Promise<void>;
}

/** Returns those of the credentials that still open something. */
type ListLive = (ids: readonly string[]) => Promise<readonly string[]>;

/** Credentials of one kind, and what each has opened. */
interface Credentials {
  readonly listLive: ListLive;
  /** What a WebSocket is closed with. */
  readonly closeReason: string;
  readonly error: () => WireError;
  readonly opened: Map<string, Map<IncomingMessage, FastifyReply>>;
}

export function createOpenRequests(deps: {
  listLiveKeys: ListLive;
  /** Finds the sessions that have not ended, by their hashes. */
  listLiveSessions: ListLive;
}): OpenRequests {
  const keys: Credentials = {
    listLive: deps.listLiveKeys,
    closeReason: "the API key was revoked",
    error: () => new WireError("invalid_api_key", "The API key was revoked"),
    opened: new Map(),
  };
  const sessions: Credentials = {
    listLive: deps.listLiveSessions,
    closeReason: "the session of the dashboard has ended",
    error: () =>
      new WireError("missing_api_key", "The session of the dashboard has ended: sign in again"),
    opened: new Map(),
  };
  const webSockets = new WeakMap<IncomingMessage, WebSocket>();

  /** The session ends with its key, so a request that has one is followed by it alone. */
  function credentialOf({ apiKeyId, dashboardSession }: FastifyRequest) {
    if (dashboardSession !== null) return { credentials: sessions, id: dashboardSession };
    return apiKeyId === null ? undefined : { credentials: keys, id: apiKeyId };
  }

  function end(request: IncomingMessage, reply: FastifyReply, credentials: Credentials): void {
    const webSocket = webSockets.get(request);
    if (webSocket === undefined) {
      breakOff(reply, credentials.error());
      return;
    }
    // The client's close frame cannot be read while its input is paused.
    webSocket.resume();
    webSocket.close(closeCode, credentials.closeReason);
    setTimeout(() => webSocket.terminate(), closeMilliseconds).unref();
  }

  async function endUnauthorized(credentials: Credentials): Promise<void> {
    const { opened, listLive } = credentials;
    const ids = [...opened.keys()];
    if (ids.length === 0) return;
    const live = new Set(await listLive(ids));
    for (const id of ids) {
      if (live.has(id)) continue;
      for (const [request, reply] of [...(opened.get(id) ?? [])]) end(request, reply, credentials);
    }
  }

  return {
    async follow(request, reply) {
      const credential = credentialOf(request);
      if (credential === undefined) return;
      const { raw, ws } = request;
      const { id } = credential;
      const { opened } = credential.credentials;
      const requests = opened.get(id) ?? new Map<IncomingMessage, FastifyReply>();
      opened.set(id, requests.set(raw, reply));
      const forget = (): void => {
        requests.delete(raw);
        if (requests.size === 0 && opened.get(id) === requests) opened.delete(id);
      };
      const ending = ws ? raw.socket : reply.raw;
      if (ending.destroyed) forget();
      else ending.once("close", forget);
    },

    upgraded(request, webSocket) {
      webSockets.set(request, webSocket);
    },

    async endUnauthorized() {
      await Promise.all([endUnauthorized(keys), endUnauthorized(sessions)]);
    },
  };
}

/**
 * Ends a request and its connection: with an error where no response has
 * begun, past the response itself, so that the work for it is aborted as if the
 * client had closed the connection.
 */
function breakOff({ raw }: FastifyReply, error: WireError): void {
  const { socket } = raw;
  if (socket === null || raw.headersSent) {
    raw.destroy();
    return;
  }
  const body = JSON.stringify(error.toBody());
  socket.end(
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}
