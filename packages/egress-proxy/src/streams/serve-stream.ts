import type { Socket } from "node:net";
import type { AuditLine } from "@opencomputer/protocol/wire";
import type { WriteAudit } from "../audit/audit-writer.ts";
import type { AuditRefusal } from "../audit/sparse-audit.ts";
import type { FindPolicy, SessionPolicy } from "../egress-policy/session-policy.ts";
import { redactText } from "../redaction/stream-redactor.ts";
import { type Destination, DialError } from "../upstream/destination.ts";
import { relayBytes, type StreamBytes } from "./relay-bytes.ts";

/** What an opaque stream needs from its surroundings. */
export interface StreamDependencies {
  readonly dial: (destination: Destination, signal: AbortSignal) => Promise<Socket>;
  readonly findPolicy: FindPolicy;
  readonly isAuditTrailWritable: () => boolean;
  readonly writeAudit: WriteAudit;
  readonly auditRefusal: AuditRefusal;
  readonly now: () => number;
}

const noBytes: StreamBytes = { fromGuest: 0, toGuest: 0 };

/** An admitted connection of a guest, and the name that it is meant for. */
export interface GuestStream {
  readonly socket: Socket;
  readonly policy: SessionPolicy;
  readonly name: string;
  readonly port: number;
}

/**
 * Serves an opaque stream until both sides have ended: dials the name, passes
 * bytes on, and writes one audit line. A policy that does not allow it any more
 * ends it with the next byte. Never rejects.
 */
export async function serveStream(deps: StreamDependencies, stream: GuestStream): Promise<void> {
  const { socket, policy, name, port } = stream;
  const host = `${name}:${port}`;
  const { sandboxId, sourceAddress } = policy;
  const refuse = (reason: string): void => {
    socket.resetAndDestroy();
    deps.auditRefusal({ kind: "tcp", sandboxId, sourceAddress, host, reason });
  };
  if (!deps.isAuditTrailWritable()) return refuse("the audit trail cannot be written");
  const startedAtMilliseconds = deps.now();
  const abort = new AbortController();
  const giveUp = (): void => abort.abort();
  socket.once("close", giveUp);
  try {
    const upstream = await deps.dial({ scheme: "tcp", host }, abort.signal);
    if (socket.destroyed) return void upstream.destroy();
    upstream.allowHalfOpen = true;
    const bytes: StreamBytes = { fromGuest: 0, toGuest: 0 };
    const mayPass = createPassCheck(deps.findPolicy, stream);
    await relayBytes(socket, upstream, bytes, mayPass);
    const reason = mayPass() ? null : "the policy no longer allows the stream";
    deps.writeAudit(streamLine(stream, bytes, reason, startedAtMilliseconds, deps.now()));
  } catch (error) {
    if (!(error instanceof DialError)) throw error;
    if (!error.wasAllowed) return refuse(error.message);
    socket.resetAndDestroy();
    const line = streamLine(stream, noBytes, error.message, startedAtMilliseconds, deps.now());
    deps.writeAudit(line, { wasSent: false });
  } finally {
    socket.off("close", giveUp);
  }
}

/** Checks whether the policy in force allows the stream; a check costs nothing while the policy is the same. */
function createPassCheck(findPolicy: FindPolicy, stream: GuestStream): () => boolean {
  const { sandboxId, sourceAddress } = stream.policy;
  let checked: SessionPolicy | undefined = stream.policy;
  let isAllowed = true;
  return () => {
    const policy = findPolicy(sourceAddress);
    if (policy === checked) return isAllowed;
    checked = policy;
    isAllowed =
      policy?.sandboxId === sandboxId && policy.otherPorts.allowsStream(stream.name, stream.port);
    return isAllowed;
  };
}

function streamLine(
  { policy, name, port }: GuestStream,
  bytes: StreamBytes,
  reason: string | null,
  startedAtMilliseconds: number,
  endedAtMilliseconds: number,
): AuditLine {
  const leaked = new Set<string>();
  const host = redactText(`${name}:${port}`, policy.search, (secret) => leaked.add(secret));
  return {
    time: new Date(startedAtMilliseconds).toISOString(),
    kind: "tcp",
    sandboxId: policy.sandboxId,
    sourceAddress: policy.sourceAddress,
    host,
    method: null,
    path: null,
    decision: "allowed",
    reason,
    status: null,
    substituted: [],
    withheld: [],
    redacted: [],
    leaked: [...leaked],
    requestBytes: bytes.fromGuest,
    responseBytes: bytes.toGuest,
    durationMilliseconds: Math.max(0, endedAtMilliseconds - startedAtMilliseconds),
  };
}
