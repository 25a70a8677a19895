import { createServer, type Server, type Socket } from "node:net";
import type { Logger } from "pino";
import type { AdmittedGuest } from "../listeners/admit-guest.ts";
import { logSocketError } from "../listeners/guest-connection.ts";
import type { TlsFor } from "../listeners/guest-tls-by-port.ts";
import { describeError } from "../logging/describe-error.ts";
import { joinHost } from "../upstream/destination.ts";
import { probeWhenSilent } from "../upstream/probe-when-silent.ts";
import { type FindStreamDependencies, findStream } from "./find-stream.ts";
import { type StreamDependencies, serveStream } from "./serve-stream.ts";

export interface StreamListenerDependencies extends StreamDependencies, FindStreamDependencies {
  readonly admitGuest: (socket: Socket) => AdmittedGuest | undefined;
  readonly tlsFor: TlsFor;
  readonly log: Logger;
}

/**
 * Creates the server for all other ports that allowlists open. Its connections
 * arrive with the address and port that the guest connected to as their own.
 * Nothing is read before it is decided what a connection is.
 */
export function createStreamListener(deps: StreamListenerDependencies): Server {
  const listener = createServer({
    allowHalfOpen: true,
    pauseOnConnect: true,
    noDelay: true,
  });
  listener.on("connection", (socket) => {
    socket.on("error", logSocketError(deps.log));
    const admitted = deps.admitGuest(socket);
    if (admitted === undefined) return;
    probeWhenSilent(socket);
    serve(deps, socket, admitted).catch((error: unknown) => {
      socket.resetAndDestroy();
      deps.log.error({ error: describeError(error) }, "a stream failed");
    });
  });
  return listener;
}

async function serve(
  deps: StreamListenerDependencies,
  socket: Socket,
  admitted: AdmittedGuest,
): Promise<void> {
  const { sourceAddress, admission } = admitted;
  const policy = deps.findPolicy(sourceAddress);
  const { localAddress: address, localPort: port } = socket;
  if (policy === undefined || address === undefined || port === undefined) {
    socket.resetAndDestroy();
    return;
  }
  const ended = AbortSignal.timeout(findTimeoutMilliseconds);
  const found = await findStream(deps, policy, { address, port }, ended);
  if (socket.destroyed) return;
  if (found.kind === "https") {
    socket.allowHalfOpen = false;
    deps.tlsFor(admitted, port).accept(socket, admitted);
    return;
  }
  const { sandboxId } = policy;
  if (found.kind === "tcp" && !admission.isRefused) {
    // A stream is never idle: it makes no room for another connection.
    admission.busy();
    return await serveStream(deps, { socket, policy, port, name: found.name });
  }
  socket.resetAndDestroy();
  const { host, reason } =
    found.kind === "refused"
      ? found
      : {
          host: joinHost("tcp", found.name, port),
          reason: "the sandbox holds too many connections",
        };
  deps.auditRefusal({ kind: "tcp", sandboxId, sourceAddress, host, port, reason });
}

/** How long it may take to recognize an address that this proxy did not give. */
const findTimeoutMilliseconds = 5_000;
