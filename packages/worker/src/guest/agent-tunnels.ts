import { type IncomingMessage, request } from "node:http";
import type { Socket } from "node:net";
import { limits, tunnelProtocol, WireError } from "@opencomputer/protocol";
import { connectStraight } from "./connect-straight.ts";
import { withDeadline } from "./with-deadline.ts";

/**
 * Connections to TCP ports of one guest. What comes through them is the guest's
 * alone. A server that listens on every address of the guest is reached at its
 * address; one that listens on the loopback alone by way of the agent, which
 * costs the guest several times as much.
 */
export interface AgentTunnels {
  /**
   * Connects to a port.
   *
   * @throws {WireError} `port_not_listening`, `too_many_requests`; `guest_failed`
   * for an agent that does not respond in time or breaks the rules.
   */
  open(port: number, signal: AbortSignal): Promise<Socket>;
  /** Ends every connection, and refuses new ones. */
  close(): void;
}

export function createAgentTunnels(options: {
  origin: string;
  /** The guest's address; null when only the agent's way is to be taken. */
  guestAddress: string | null;
  /** What the agent's error response stands for. */
  toError(status: number, body: IncomingMessage): Promise<WireError>;
}): AgentTunnels {
  const tunnels = new Set<Socket>();
  const opening = new Set<AbortController>();
  let isClosed = false;

  async function connect(port: number, signal: AbortSignal): Promise<Socket> {
    const { guestAddress } = options;
    const straight =
      guestAddress === null ? undefined : await connectStraight(guestAddress, port, signal);
    return straight ?? connectByAgent(port, signal);
  }

  function connectByAgent(port: number, signal: AbortSignal): Promise<Socket> {
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
            "The agent in the sandbox opened no connection to the port",
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
      if (isClosed) throw new WireError("sandbox_not_running", "The sandbox does not run");
      if (tunnels.size + opening.size >= limits.tunnelsPerSandboxMax) {
        throw new WireError(
          "too_many_requests",
          `The sandbox has ${limits.tunnelsPerSandboxMax} connections to its ports, the maximum: wait for some to end`,
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
