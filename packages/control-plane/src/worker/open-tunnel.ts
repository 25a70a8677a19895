import { request } from "node:http";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import {
  errorBodySchema,
  isErrorCode,
  limits,
  tunnelProtocol,
  WireError,
} from "@opencomputer/protocol";

/** The worker's own time-out comes first, and says what it waited for. */
const graceSeconds = 10;

/**
 * Connects to a TCP port of a sandbox's loopback, through the worker.
 *
 * @throws {WireError} `port_not_listening`, `too_many_requests`, `guest_failed`,
 * `sandbox_not_running`; `worker_unavailable` when the worker does not respond.
 */
export function openTunnel(
  { workerSocket }: { workerSocket: string },
  { sandboxId, port }: { sandboxId: string; port: number },
): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const upgrade = request({
      socketPath: workerSocket,
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
  const parsed = errorBodySchema.safeParse(parseJson(body));
  if (!parsed.success || !isErrorCode(parsed.data.code)) {
    return new WireError("internal_error", "The worker refused a tunnel without a reason");
  }
  return new WireError(parsed.data.code, parsed.data.error);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
