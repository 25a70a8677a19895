import { WebSocket } from "ws";
import type { OpenSocket } from "./socket.ts";

/** How long the other side has to complete the closing handshake. */
const closeMilliseconds = 1_000;

/**
 * Node has no global WebSocket before 22, and none that can be paused: with
 * it a slow reader would fill the memory.
 */
export const openSocket: OpenSocket = (url, apiKey, handlers) => {
  const socket = new WebSocket(url, {
    headers: { "x-api-key": apiKey },
    perMessageDeflate: false,
    followRedirects: false,
  });
  socket.binaryType = "nodebuffer";
  socket.on("open", () => handlers.onOpen());
  socket.on("message", (data) => {
    if (Buffer.isBuffer(data)) handlers.onMessage(data);
  });
  let failure = "";
  socket.on("error", (error) => {
    failure = error.message;
  });
  socket.on("close", (code, reason) => handlers.onClose(code, reason.toString() || failure));
  return {
    send: (message) =>
      new Promise((resolve, reject) => {
        socket.send(message, { binary: true }, (error) => (error ? reject(error) : resolve()));
      }),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    close() {
      // The other side's close frame cannot be read while paused.
      socket.resume();
      socket.close(1000);
      setTimeout(() => socket.terminate(), closeMilliseconds).unref();
    },
  };
};
