import { z } from "zod";

/** What the bench tells its helper processes by IPC, and what they answer. */
export const originSettingsSchema = z.object({ key: z.string(), cert: z.string() });
export const relaySettingsSchema = originSettingsSchema.extend({
  originPort: z.int(),
  originName: z.string(),
  ca: z.string(),
});
export const listeningSchema = z.object({ port: z.int() });

/** The port of a server that listens on TCP. */
export function listeningPort(address: string | { port: number } | null): number {
  if (address === null || typeof address === "string") {
    throw new TypeError(`Expected a TCP address, got ${JSON.stringify(address)}`);
  }
  return address.port;
}
