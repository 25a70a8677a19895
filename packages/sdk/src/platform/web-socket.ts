import type { OpenSocket } from "./socket.ts";

const waitMilliseconds = 20;
const bufferedBytesMax = 1024 * 1024;

const openState = 1;

/** A browser's WebSocket has no headers and cannot be paused. */
export const openSocket: OpenSocket = (url, apiKey, handlers) => {
  const socket = new globalThis.WebSocket(`${url}?api_key=${encodeURIComponent(apiKey)}`);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => handlers.onOpen();
  socket.onmessage = ({ data }) => {
    if (data instanceof ArrayBuffer) handlers.onMessage(new Uint8Array(data));
  };
  socket.onclose = ({ code, reason }) => handlers.onClose(code, reason);
  return {
    async send(message) {
      socket.send(message);
      while (socket.readyState === openState && socket.bufferedAmount > bufferedBytesMax) {
        await new Promise((resolve) => setTimeout(resolve, waitMilliseconds));
      }
    },
    pause: () => undefined,
    resume: () => undefined,
    close: () => socket.close(1000),
  };
};
