import { randomBytes } from "node:crypto";
import type { ConfigureGuestRequest } from "@opencomputer/protocol";

/** Fresh random octets that each restored guest mixes into its own. */
const entropyBytes = 64;

/** What makes a restored guest a machine of its own: nothing in it repeats. */
export function guestIdentity(options: {
  hostname: string;
  cpuCount: number;
  environment: Record<string, string>;
}): ConfigureGuestRequest {
  return {
    timeUnixMilliseconds: Date.now(),
    entropyBase64: randomBytes(entropyBytes).toString("base64"),
    hostname: options.hostname,
    machineId: randomBytes(16).toString("hex"),
    environment: options.environment,
    cpuCount: options.cpuCount,
  };
}
