import { request } from "node:http";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { limits, WireError } from "@opencomputer/protocol/api";
import { tunnelProtocol } from "@opencomputer/protocol/wire";
import { parseErrorBody } from "../peers/unix-socket-client.ts";

/** The worker's own time-out passes first, and its error has the reason. */
const graceSeconds = 10;

/**
 * Connects to a TCP port of a sandbox's loopback, through the worker.
 *
 * @throws {WireError} `port_not_listening`, `too_many_requests`, `guest_failed`,
 * `sandbox_not_running`; `worker_unavailable` when the worker does not respond.
 */
export function openTunnel(
  socketPath: string,
  { sandboxId, port }: { sandboxId: string; port: number },
): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const upgrade = request({
      socketPath,
      path: `/v1/sandboxes/${sandboxId}/tunnel?port=${port}`,
      headers: { host: "localhost", connection: "Upgrade", upgrade: tunnelProtocol },
      agent: false,
      signal: AbortSignal.timeout((limits.tunnelOpenTimeoutSeconds + graceSeconds) * 1000),
    });
    upgrade.once("upgrade", (_response, socket, head) => {
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    upgrade.once("response", (response) => {
      text(response).then((body) => reject(toError(body)), reject);
    });
    upgrade.once("error", (cause) =>
      reject(
        new WireError("worker_unavailable", "The worker opened no connection to the sandbox", {
          cause,
        }),
      ),
    );
    upgrade.end();
  });
}

function toError(body: string): WireError {
  return (
    parseErrorBody(body) ??
    new WireError("internal_error", "The worker refused a tunnel without a reason")
  );
}
