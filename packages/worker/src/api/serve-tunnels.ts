import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { limits, sandboxIdSchema, WireError } from "@opencomputer/protocol/api";
import { tunnelProtocol } from "@opencomputer/protocol/wire";
import { z } from "zod";
import type { AgentClient } from "../guest/agent-client.ts";
import type { UseWatch } from "../use/create-use-watch.ts";

const pathPattern = /^\/v1\/sandboxes\/(?<sandboxId>[^/?]+)\/tunnel\?port=(?<port>[0-9]{1,5})$/;
const targetSchema = z.object({
  sandboxId: sandboxIdSchema,
  port: z.coerce.number().int().min(1).max(65_535),
});

interface TunnelsBySandbox {
  agentOf(sandboxId: string): Pick<AgentClient, "tunnels">;
}

/** The upgraded connections, which the HTTP server does not close by itself. */
export interface ServedTunnels {
  close(): void;
}

/**
 * Serves `GET /v1/sandboxes/:id/tunnel?port=N`, which upgrades to a connection
 * to that port of the guest. Bytes are passed on at the pace of the slower side.
 * Other upgrades are refused.
 */
export function serveTunnels(
  server: Server,
  {
    sandboxes,
    onUse,
    watchUse,
    halfOpenSecondsMax = limits.tunnelHalfOpenSecondsMax,
  }: {
    sandboxes: TunnelsBySandbox;
    onUse: () => void;
    /** Counts the bytes of a connection as use of its sandbox, until the returned function is called. */
    watchUse: UseWatch["watch"];
    halfOpenSecondsMax?: number;
  },
  log: { info(details: object, message: string): void },
): ServedTunnels {
  const clients = new Set<Duplex>();

  async function serve(request: IncomingMessage, client: Duplex, head: Buffer): Promise<void> {
    const closed = new AbortController();
    const onClose = () => closed.abort();
    client.once("close", onClose);
    const { sandboxId, port } = readTarget(request);
    const guest = await sandboxes.agentOf(sandboxId).tunnels.open(port, closed.signal);
    client.off("close", onClose);
    if (client.destroyed) {
      guest.destroy();
      return;
    }
    onUse();
    const unwatch = watchUse(sandboxId, guest);
    client.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${tunnelProtocol}\r\n\r\n`,
    );
    if (head.length > 0) guest.write(head);
    // A caller that has closed its connection looks like one that only sends no more: a silent guest would keep it open.
    let linger: NodeJS.Timeout | undefined;
    client.once("end", () => {
      linger = setTimeout(() => client.destroy(), halfOpenSecondsMax * 1000);
    });
    // Either side may end its direction first; a failure of one ends both.
    await Promise.all([pipeline(client, guest), pipeline(guest, client)]).catch(() => {
      client.destroy();
      guest.destroy();
    });
    clearTimeout(linger);
    unwatch();
    onUse();
  }

  server.on("upgrade", (request, client, head) => {
    clients.add(client);
    client.once("close", () => clients.delete(client));
    client.on("error", (error) => log.info({ err: error }, "A tunnel broke"));
    serve(request, client, head).catch((error: unknown) => refuse(client, error));
  });

  return {
    close() {
      for (const client of clients) client.destroy();
    },
  };
}

/** @throws {WireError} `not_found`, `invalid_request` */
function readTarget(request: IncomingMessage) {
  const target = pathPattern.exec(request.url ?? "")?.groups;
  if (target === undefined || request.headers.upgrade !== tunnelProtocol) {
    throw new WireError("not_found", `There is no upgrade of ${request.method} ${request.url}`);
  }
  const parsed = targetSchema.safeParse(target);
  if (parsed.success) return parsed.data;
  throw new WireError(
    "invalid_request",
    "A tunnel needs a sandbox's id and a port from 1 to 65535",
  );
}

function refuse(client: Duplex, error: unknown): void {
  const wireError =
    error instanceof WireError
      ? error
      : new WireError("internal_error", "The worker failed to open the tunnel", { cause: error });
  const body = JSON.stringify(wireError.toBody());
  client.end(
    `HTTP/1.1 ${wireError.status} Refused\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
