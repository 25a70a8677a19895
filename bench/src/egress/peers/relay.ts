import { connect, createServer } from "node:tls";
import { relaySettingsSchema } from "./message.ts";
import { runPeer } from "./run-peer.ts";

// The floor of the proxy: terminates TLS, opens TLS, and forwards bytes unread.
runPeer(relaySettingsSchema, ({ key, cert, originPort, originName, ca }) =>
  createServer({ key, cert }, (guest) => {
    const upstream = connect({ host: "127.0.0.1", port: originPort, servername: originName, ca });
    for (const socket of [guest, upstream]) socket.setNoDelay(true);
    guest.on("error", () => upstream.destroy());
    upstream.on("error", () => guest.destroy());
    guest.pipe(upstream).pipe(guest);
  }),
);
