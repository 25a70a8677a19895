import { type Field, fieldValues } from "../http1/fields.ts";
import { connectionOptions, upgradeProtocol } from "../http1/hop-by-hop.ts";

/** A response with status 101 that does not lead to a WebSocket without extensions. */
export class WebSocketHandshakeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "WebSocketHandshakeError";
  }
}

/**
 * Checks the fields of a 101 response before a single byte after it is
 * relayed. The messages quote nothing of the response: it may hold a value.
 *
 * `Sec-WebSocket-Accept` is the guest's to check: it proves that the response
 * belongs to the key that the guest sent.
 *
 * @throws {WebSocketHandshakeError}
 */
export function checkWebSocketResponse(fields: readonly Field[]): void {
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
}
