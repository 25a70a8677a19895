import { createSecureServer } from "node:http2";
import { originSettingsSchema } from "./message.ts";
import { runPeer } from "./run-peer.ts";

// The same short response to every request, over HTTP/2.
runPeer(originSettingsSchema, (settings) =>
  createSecureServer(settings).on("stream", (stream) => {
    stream.respond({ ":status": 200, "content-length": 2 });
    stream.end("ok");
  }),
);
