import { type Field, fieldValues } from "../http/fields.ts";
import { connectionOptions, upgradeProtocol } from "../http/hop-by-hop.ts";
import { acceptOf, webSocketAccept } from "../http/web-socket-key.ts";

/** Thrown for a response with status 101 that does not open a WebSocket without extensions. */
export class WebSocketHandshakeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "WebSocketHandshakeError";
  }
}

/**
 * Checks the fields of a 101 response before a single byte after it is
 * relayed. Messages quote nothing of the response: it may hold a value.
 *
 * A guest that sent a key checks `Sec-WebSocket-Accept`, which proves that the response
 * belongs to it. `key` is one that the proxy made, and checks for itself.
 *
 * @throws {WebSocketHandshakeError}
 */
export function checkWebSocketResponse(fields: readonly Field[], key?: string): void {
  const protocol = upgradeProtocol(fields, connectionOptions(fields));
  if (protocol?.toLowerCase() !== "websocket") {
    throw new WebSocketHandshakeError(
      "The upstream switched protocols, but not to websocket: its 101 response must have the fields Connection: Upgrade and Upgrade: websocket, once",
    );
  }
  if (fieldValues(fields, "sec-websocket-extensions").length > 0) {
    throw new WebSocketHandshakeError(
      "The upstream accepted a WebSocket extension that was not offered: its 101 response must have no Sec-WebSocket-Extensions field",
    );
  }
  if (key !== undefined && fieldValues(fields, webSocketAccept).join() !== acceptOf(key)) {
    throw new WebSocketHandshakeError(
      "The upstream switched protocols for another request: the Sec-WebSocket-Accept of its 101 response must belong to the Sec-WebSocket-Key that it was sent",
    );
  }
}
