import { createServer } from "node:tls";
import { originSettingsSchema } from "./message.ts";
import { runPeer } from "./run-peer.ts";

const response = Buffer.from("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
const headEnd = Buffer.from("\r\n\r\n");

// A cheap TLS server in a separate process: the same short response to every
// request head.
runPeer(originSettingsSchema, (settings) =>
  createServer(settings, (socket) => {
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk: Buffer) => {
      for (let at = chunk.indexOf(headEnd); at !== -1; at = chunk.indexOf(headEnd, at + 4)) {
        socket.write(response);
      }
    });
  }),
);
