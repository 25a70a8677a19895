import type { Duplex } from "node:stream";
import type { Protocol } from "./upstream-protocols.ts";

/** Returns the version of HTTP that a TLS handshake agreed on; HTTP/1.1 where it agreed on none. */
export function negotiatedProtocol(socket: Duplex): Protocol {
  return "alpnProtocol" in socket && socket.alpnProtocol === "h2" ? "h2" : "http/1.1";
}
