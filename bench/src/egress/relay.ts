import { connect, createServer } from "node:tls";
import { listeningPort, relaySettingsSchema } from "./message.ts";

// The floor of the proxy: ends TLS, opens TLS, and hands octets over unseen.
process.once("message", (message) => {
  const { key, cert, originPort, originName, ca } = relaySettingsSchema.parse(message);
  const server = createServer({ key, cert }, (guest) => {
    const upstream = connect({ host: "127.0.0.1", port: originPort, servername: originName, ca });
    for (const socket of [guest, upstream]) socket.setNoDelay(true);
    guest.on("error", () => upstream.destroy());
    upstream.on("error", () => guest.destroy());
    guest.pipe(upstream).pipe(guest);
  });
  server.listen(0, "127.0.0.1", () => process.send?.({ port: listeningPort(server.address()) }));
});
