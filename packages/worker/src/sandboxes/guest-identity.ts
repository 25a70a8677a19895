import { createHash, randomBytes } from "node:crypto";
import type { ConfigureGuestRequest } from "@opencomputer/protocol";

/** Fresh random octets that each restored guest mixes into its own. */
const entropyBytes = 64;
const generationBytes = 16;
/** Keeps the machine id apart from any other digest of a sandbox's id. */
const machineIdPurpose = "opencomputer machine id";

/**
 * What makes a restored guest a machine of its own. Its machine id follows from
 * its host name, which is the sandbox's id: it stays through every restore of
 * that sandbox, and a fork, which is another sandbox, has another.
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

/** Tells the programs of a machine that others run from the memory that it was restored from. */
export const newGeneration = () => randomBytes(generationBytes).toString("hex");

/** 128 bits in the form of machine-id(5). */
function machineIdOf(hostname: string): string {
  return createHash("sha256").update(`${machineIdPurpose}\0${hostname}`).digest("hex").slice(0, 32);
}
