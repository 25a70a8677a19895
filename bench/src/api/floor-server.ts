import { createServer } from "node:http";
import { runPeer } from "../egress/peers/run-peer.ts";
import { floorSettingsSchema } from "./message.ts";

// The floor of the API: Node's own HTTP server with the same response to every request.
runPeer(floorSettingsSchema, ({ body }) => {
  const headers = {
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(body),
  };
  return createServer((_request, response) => {
    response.writeHead(200, headers);
    response.end(body);
  });
});
