import type { Socket } from "node:net";
import type { AuditRefusal } from "../audit/sparse-audit.ts";
import type { FindPolicy } from "../egress-policy/session-policy.ts";
import type { Admission } from "./admission.ts";
import type { ConnectionTable } from "./connection-table.ts";

/** What admission needs from its surroundings. */
export interface AdmissionDependencies {
  readonly kind: "https" | "http" | "tcp" | "dns";
  readonly findPolicy: FindPolicy;
  readonly connections: ConnectionTable;
  readonly auditRefusal: AuditRefusal;
}

/** A connection that was admitted. */
export interface AdmittedGuest {
  readonly sourceAddress: string;
  /** The sandbox that opened the connection: its address may be another's later. */
  readonly sandboxId: string;
  readonly admission: Admission;
}

/**
 * Admits a fresh connection; resets it and returns `undefined` when the address
 * has no session, or the sandbox has as many connections as it may and further
 * ones that are refused with a reason. The address that packets come from
 * decides, before a byte of the connection is read.
 */
export function admitGuest(deps: AdmissionDependencies, socket: Socket): AdmittedGuest | undefined {
  const sourceAddress = socket.remoteAddress;
  if (sourceAddress === undefined) {
    socket.destroy();
    return undefined;
  }
  const policy = deps.findPolicy(sourceAddress);
  if (policy === undefined) {
    refuse(deps, socket, sourceAddress, null, "no sandbox has this source address");
    return undefined;
  }
  const admission = deps.connections.admit(sourceAddress, socket);
  if (admission === undefined) {
    const reason = "the sandbox holds too many connections";
    refuse(deps, socket, sourceAddress, policy.sandboxId, reason);
    return undefined;
  }
  return { sourceAddress, sandboxId: policy.sandboxId, admission };
}

function refuse(
  deps: AdmissionDependencies,
  socket: Socket,
  sourceAddress: string,
  sandboxId: string | null,
  reason: string,
): void {
  socket.resetAndDestroy();
  const kind = deps.kind === "https" ? "tls" : deps.kind;
  deps.auditRefusal({ kind, sandboxId, sourceAddress, host: null, reason });
}
