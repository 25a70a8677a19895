import type { EgressSecret, EgressSession } from "@opencomputer/protocol/wire";
import { type Logger, pino } from "pino";

export const testSandboxId = "sb-aaaaaaaaaaaaaaaaaaaa";
export const otherSandboxId = "sb-bbbbbbbbbbbbbbbbbbbb";
export const testMachineId = "5f0e3a52-6f0b-4a7c-9c1d-2b8e4d6a7f10";

/** A session of mode `allowlisted` for `api.example.com`, with these changes. */
export function testSession(changes: Partial<EgressSession> = {}): EgressSession {
  return {
    sandboxId: testSandboxId,
    version: 1,
    machineId: testMachineId,
    sourceAddress: "198.18.4.6",
    mode: "allowlisted",
    egressAllowlist: ["api.example.com"],
    secrets: [],
    awsSecrets: [],
    formerSecrets: [],
    revokedSecrets: [],
    enforcesRevocation: false,
    ...changes,
  };
}

/** A secret whose token ends in `digit`. */
export function testSecret(digit: string, changes: Partial<EgressSecret> = {}): EgressSecret {
  return {
    name: `SECRET_${digit}`,
    token: `osb_sealed_${digit.repeat(32)}`,
    value: `canary-value-q7Z2xK9mV4tR8wLp${digit}`,
    allowedHosts: [],
    substituteIn: ["header", "body"],
    ...changes,
  };
}

/** A logger whose lines the test can read. */
export function createTestLog(lines: string[] = []): Logger {
  return pino({ level: "debug" }, { write: (line: string) => lines.push(line) });
}
