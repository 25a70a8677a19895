import type { Socket } from "node:net";
import type { AuditRefusal } from "../audit/sparse-audit.ts";
import type { FindPolicy } from "../contract.ts";
import type { ConnectionTable } from "./connection-table.ts";

/** Lets a fresh connection in and tells its source address, or ends it and tells `undefined`. */
export type AdmitGuest = (socket: Socket) => string | undefined;

/**
 * Decides on a connection by the address that its packets come from, before
 * one octet of it is read: an address without a session is reset, and so is
 * a connection beyond the sandbox's limit.
 */
export function createAdmitGuest(deps: {
  kind: "https" | "http" | "dns";
  findPolicy: FindPolicy;
  connections: ConnectionTable;
  auditRefusal: AuditRefusal;
}): AdmitGuest {
  const refuse = (
    socket: Socket,
    sourceAddress: string,
    sandboxId: string | null,
    reason: string,
  ): undefined => {
    socket.resetAndDestroy();
    const kind = deps.kind === "https" ? "tls" : deps.kind;
    deps.auditRefusal({ kind, sandboxId, sourceAddress, host: null, reason });
  };

  return (socket) => {
    const sourceAddress = socket.remoteAddress;
    if (sourceAddress === undefined) {
      socket.destroy();
      return undefined;
    }
    const policy = deps.findPolicy(sourceAddress);
    if (policy === undefined) {
      return refuse(socket, sourceAddress, null, "no sandbox has this source address");
    }
    if (!deps.connections.admit(sourceAddress, socket)) {
      return refuse(
        socket,
        sourceAddress,
        policy.sandboxId,
        "the sandbox holds too many connections",
      );
    }
    return sourceAddress;
  };
}
