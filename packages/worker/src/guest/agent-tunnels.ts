import { type IncomingMessage, request } from "node:http";
import type { Socket } from "node:net";
import { limits, WireError } from "@opencomputer/protocol/api";
import { tunnelProtocol } from "@opencomputer/protocol/wire";
import { connectDirectly } from "./connect-directly.ts";
import { withDeadline } from "./guest-bounds.ts";

/**
 * Connections to TCP ports of one guest. Their bytes are passed on as they are. A
 * server that listens on every address of the guest is connected to directly;
 * one that listens only on loopback through the agent, which costs the guest
 * several times as much.
 */
export interface AgentTunnels {
  /**
   * Connects to a port.
   *
   * @throws {WireError} `port_not_listening`, `too_many_requests`; `guest_failed`
   * for an agent that does not respond in time or violates the protocol.
   */
  open(port: number, signal: AbortSignal): Promise<Socket>;
  /** Ends every connection, and refuses new ones. */
  close(): void;
}

export function createAgentTunnels(options: {
  origin: string;
  /** The guest's address, for direct connections; null to connect only through the agent. */
  guestAddress: string | null;
  /** Converts an error response of the agent. */
  toError(status: number, body: IncomingMessage): Promise<WireError>;
}): AgentTunnels {
  const tunnels = new Set<Socket>();
  const opening = new Set<AbortController>();
  let isClosed = false;

  async function connect(port: number, signal: AbortSignal): Promise<Socket> {
    const { guestAddress } = options;
    const direct =
      guestAddress === null ? undefined : await connectDirectly(guestAddress, port, signal);
    return direct ?? connectThroughAgent(port, signal);
  }

  function connectThroughAgent(port: number, signal: AbortSignal): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const upgrade = request(`${options.origin}/v1/tunnel?port=${port}`, {
        agent: false,
        headers: { connection: "Upgrade", upgrade: tunnelProtocol },
        maxHeaderSize: 16 * 1024,
        signal,
      });
      upgrade.once("upgrade", (_response, socket, head) => {
        if (head.length > 0) socket.unshift(head);
        socket.setNoDelay(true);
        resolve(socket);
      });
      upgrade.once("response", (response) => {
        options.toError(response.statusCode ?? 0, response).then(reject, reject);
      });
      upgrade.once("error", (error) =>
        reject(
          new WireError(
            "guest_failed",
            "The agent in the sandbox could not open a connection to the port",
            {
              cause: error,
            },
          ),
        ),
      );
      upgrade.end();
    });
  }

  return {
    async open(port, signal) {
      if (isClosed) throw new WireError("sandbox_not_running", "The sandbox is not running");
      if (tunnels.size + opening.size >= limits.tunnelsPerSandboxMax) {
        throw new WireError(
          "too_many_requests",
          `Connection limit reached: this sandbox has ${limits.tunnelsPerSandboxMax} of ${limits.tunnelsPerSandboxMax} connections to its ports. Wait for some to end.`,
        );
      }
      const controller = new AbortController();
      opening.add(controller);
      try {
        const socket = await withDeadline(
          limits.tunnelOpenTimeoutSeconds * 1000,
          [signal, controller.signal],
          (deadline) => connect(port, deadline),
        );
        tunnels.add(socket);
        socket.once("close", () => tunnels.delete(socket));
        return socket;
      } finally {
        opening.delete(controller);
      }
    },

    close() {
      isClosed = true;
      for (const controller of opening) controller.abort();
      for (const socket of tunnels) socket.destroy();
    },
  };
}
