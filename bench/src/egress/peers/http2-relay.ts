import { connect, createSecureServer } from "node:http2";
import { relaySettingsSchema } from "./message.ts";
import { runPeer } from "./run-peer.ts";

// The floor of the proxy over HTTP/2: node:http2 on both sides, heads and bodies forwarded unread.
runPeer(relaySettingsSchema, ({ key, cert, originPort, originName, ca }) =>
  createSecureServer({ key, cert }).on("session", (guest) => {
    const upstream = connect(`https://127.0.0.1:${originPort}`, { servername: originName, ca });
    upstream.on("error", () => guest.destroy());
    guest.on("error", () => upstream.destroy());
    guest.on("close", () => upstream.close());
    guest.on("stream", (stream, headers) => {
      const request = upstream.request(headers);
      request.on("response", (responseHeaders) => {
        if (!stream.destroyed) stream.respond(responseHeaders);
      });
      request.on("error", () => stream.destroy());
      stream.on("error", () => request.destroy());
      stream.pipe(request).pipe(stream);
    });
  }),
);
