import { createServer } from "node:http";
import { listeningPort } from "../egress/message.ts";
import { floorSettingsSchema } from "./message.ts";

// The floor of the API: Node's own HTTP server with the same answer for every request.
process.once("message", (message) => {
  const { body } = floorSettingsSchema.parse(message);
  const headers = {
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(body),
  };
  const server = createServer((_request, response) => {
    response.writeHead(200, headers);
    response.end(body);
  });
  server.listen(0, "127.0.0.1", () => process.send?.({ port: listeningPort(server.address()) }));
});
