import { createServer } from "node:tls";
import { listeningPort, originSettingsSchema } from "./message.ts";

// A TLS server that costs next to nothing, in a process of its own: the same
// answer for every request head.
const answer = Buffer.from("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
const headEnd = Buffer.from("\r\n\r\n");

process.once("message", (message) => {
  const server = createServer(originSettingsSchema.parse(message), (socket) => {
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk: Buffer) => {
      for (let at = chunk.indexOf(headEnd); at !== -1; at = chunk.indexOf(headEnd, at + 4)) {
        socket.write(answer);
      }
    });
  });
  server.listen(0, "127.0.0.1", () => process.send?.({ port: listeningPort(server.address()) }));
});
