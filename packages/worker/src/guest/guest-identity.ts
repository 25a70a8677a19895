import { createHash, randomBytes } from "node:crypto";
import type { ConfigureGuestRequest } from "@opencomputer/protocol/wire";

/** Random bytes that each restored guest mixes into its own entropy. */
const entropyBytes = 64;
const generationBytes = 16;
/** Makes the machine id differ from any other digest of a sandbox's id. */
const machineIdPurpose = "opencomputer machine id";

/**
 * What makes a restored guest distinct from others of the same memory. Its
 * machine id is derived from its host name, the sandbox's id: it stays the same
 * through every restore of that sandbox, and a fork, which is another sandbox,
 * has a different one.
 */
export function guestIdentity(options: {
  hostname: string;
  cpuCount: number;
  environment: Record<string, string>;
}): ConfigureGuestRequest {
  return {
    timeUnixMilliseconds: Date.now(),
    entropyBase64: randomBytes(entropyBytes).toString("base64"),
    hostname: options.hostname,
    machineId: machineIdOf(options.hostname),
    environment: options.environment,
    cpuCount: options.cpuCount,
    closeConnections: false,
    thaw: true,
  };
}

/** A new value by which the programs of a machine notice that it was restored, as others may be from the same memory. */
export const newGeneration = () => randomBytes(generationBytes).toString("hex");

/** 128 bits in the form of machine-id(5). */
function machineIdOf(hostname: string): string {
  return createHash("sha256").update(`${machineIdPurpose}\0${hostname}`).digest("hex").slice(0, 32);
}
