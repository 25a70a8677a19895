import type { EgressLogLine } from "@opencomputer/protocol/wire";
import { serviceLimits } from "@opencomputer/protocol/wire";

/** Sandboxes whose lines are reported. */
export const sandboxCount = 400;
/** More hosts of one sandbox than these are one event. */
const hostsPerSandbox = serviceLimits.egressEventSubjectsPerSandboxMax;
export const linesMax = sandboxCount * hostsPerSandbox;

const digits = "abcdefghijklmnopqrstuvwxyz234567";

export function sandboxIdOf(index: number): string {
  const name = [index >> 10, (index >> 5) & 31, index & 31].map((digit) => digits[digit]).join("");
  return `sb-${name.padStart(20, "a")}`;
}

/** A refused connection. No two lines have the same sandbox and host, so each is worth an event. */
export function reportedLine(number: number): EgressLogLine {
  if (number >= linesMax) throw new RangeError(`Expected a number below ${linesMax}: ${number}`);
  return {
    sequence: number + 1,
    sandboxId: sandboxIdOf(Math.floor(number / hostsPerSandbox)),
    wasSent: false,
    time: new Date().toISOString(),
    protocol: "https",
    host: `host-${number % hostsPerSandbox}.example.test`,
    port: 443,
    method: null,
    path: null,
    decision: "refused",
    reason: "The host is not on the egress allowlist of the sandbox",
    secrets: { substituted: [], withheld: [], redacted: [], leaked: [], foreignTokens: 0 },
    status: null,
    requestBytes: 0,
    responseBytes: 0,
    durationMilliseconds: 0.5,
    leftOut: 0,
  };
}
