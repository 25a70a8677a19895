import { connect } from "node:net";
import { tunnelProtocol } from "@opencomputer/protocol/wire";
import type { FastifyInstance } from "fastify";
import type { FakeMachine } from "./fake-machine.ts";

/** Tunnels to real servers of this machine, which stand for those in guests. */
export function addTunnels(
  app: FastifyInstance,
  machines: ReadonlyMap<string, FakeMachine>,
  { servers, tunnels }: { servers: ReadonlyMap<string, number>; tunnels: string[] },
): void {
  app.server.on("upgrade", (request, socket) => {
    const { id = "", port = "" } =
      /^\/v1\/sandboxes\/(?<id>[^/]+)\/tunnel\?port=(?<port>\d+)$/.exec(request.url ?? "")
        ?.groups ?? {};
    tunnels.push(`${id} ${port}`);
    const localPort = servers.get(`${id} ${port}`);
    socket.on("error", () => undefined);
    if (machines.get(id)?.state !== "running" || localPort === undefined) {
      const code = localPort === undefined ? "port_not_listening" : "sandbox_not_running";
      const body = JSON.stringify({ error: "no server", code });
      socket.end(
        `HTTP/1.1 502 X\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      );
      return;
    }
    const server = connect(localPort, "127.0.0.1");
    server.on("error", () => socket.destroy());
    server.on("close", () => socket.destroy());
    socket.on("close", () => server.destroy());
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${tunnelProtocol}\r\n\r\n`,
    );
    socket.pipe(server);
    server.pipe(socket);
  });
}
