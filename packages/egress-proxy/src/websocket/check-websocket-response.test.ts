import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseFieldLines } from "../http/fields.ts";
import { checkWebSocketResponse, WebSocketHandshakeError } from "./check-websocket-response.ts";

describe("checkWebSocketResponse", () => {
  const taken = [
    ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Accept: x"],
    ["connection: keep-alive, upgrade", "upgrade: WebSocket", "Sec-WebSocket-Protocol: mqtt"],
  ];
  for (const lines of taken) {
    test(`accepts ${lines.join(", ")}`, () => {
      checkWebSocketResponse(parseFieldLines(lines));
    });
  }

  const refused = [
    [],
    ["Connection: Upgrade"],
    ["Upgrade: websocket"],
    ["Connection: Upgrade", "Upgrade: made-up"],
    ["Connection: Upgrade", "Upgrade: websocket, made-up"],
    ["Connection: Upgrade", "Upgrade: websocket", "Upgrade: websocket"],
    ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Extensions: permessage-deflate"],
    ["Connection: Upgrade", "Upgrade: websocket", "sec-websocket-extensions:"],
  ];
  for (const lines of refused) {
    test(`refuses ${lines.join(", ") || "no fields"}`, () => {
      assert.throws(
        () => checkWebSocketResponse(parseFieldLines(lines)),
        (error: unknown) => {
          assert.ok(error instanceof WebSocketHandshakeError);
          assert.doesNotMatch(error.message, /made-up|deflate/);
          return true;
        },
      );
    });
  }
});
