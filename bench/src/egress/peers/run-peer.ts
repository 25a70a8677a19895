import type { AddressInfo, Server } from "node:net";
import type { z } from "zod";

/**
 * Runs a helper process of the bench: it receives its settings by IPC, returns
 * the port that its server listens on, and ends with the process that started it.
 */
export function runPeer<Settings>(
  settingsSchema: z.ZodType<Settings>,
  createServer: (settings: Settings) => Server,
): void {
  process.once("disconnect", () => process.exit());
  process.once("message", (message) => {
    const server = createServer(settingsSchema.parse(message));
    server.listen(0, "127.0.0.1", () => process.send?.({ port: listeningPort(server.address()) }));
  });
}

function listeningPort(address: string | AddressInfo | null): number {
  if (address === null || typeof address === "string") {
    throw new TypeError(`Expected a TCP address, got ${JSON.stringify(address)}`);
  }
  return address.port;
}
