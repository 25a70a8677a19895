import { createHash, randomBytes } from "node:crypto";

/** Names, in lower case, of the fields of a handshake over HTTP/1.1. */
export const webSocketKey = "sec-websocket-key";
export const webSocketAccept = "sec-websocket-accept";

const keyBytes = 16;
const acceptGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** Makes the key of a handshake over HTTP/1.1 (RFC 6455 §4.1). */
export function createWebSocketKey(): string {
  return randomBytes(keyBytes).toString("base64");
}

/** Returns the `Sec-WebSocket-Accept` that belongs to a key (RFC 6455 §4.2.2). */
export function acceptOf(key: string): string {
  return createHash("sha1")
    .update(key + acceptGuid)
    .digest("base64");
}
