import { once } from "node:events";
import { createServer } from "node:http";
import { connect, type Socket } from "node:net";

export interface ConnectProxy {
  readonly port: number;
  /** What was asked for, with the credentials that were given. */
  readonly asked: { readonly authority: string; readonly authorization: string | undefined }[];
  /** Sockets that are open to clients. */
  readonly open: ReadonlySet<Socket>;
  close(): Promise<void>;
}

/**
 * A company's HTTP proxy on loopback: it demands credentials when it has some,
 * connects to the port of this host that `ports` maps an authority to, and
 * responds with `statuses` otherwise.
 */
export async function startConnectProxy(options: {
  authorization?: string;
  ports: ReadonlyMap<string, number>;
  statuses?: ReadonlyMap<string, number>;
}): Promise<ConnectProxy> {
  const asked: ConnectProxy["asked"] = [];
  const open = new Set<Socket>();
  const server = createServer((_request, response) => response.writeHead(405).end());
  server.on("connection", (socket) => {
    open.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => open.delete(socket));
  });
  server.on("connect", (request, client: Socket, head) => {
    const authority = request.url ?? "";
    const authorization = request.headers["proxy-authorization"];
    asked.push({ authority, authorization });
    const respond = (status: number): void => {
      client.end(`HTTP/1.1 ${status} Company words\r\nContent-Length: 14\r\n\r\ncompany secret`);
      client.resume();
    };
    if (options.authorization !== undefined && authorization !== options.authorization) {
      respond(407);
      return;
    }
    const port = options.ports.get(authority);
    if (port === undefined) {
      respond(options.statuses?.get(authority) ?? 502);
      return;
    }
    const upstream = connect({ host: "127.0.0.1", port }, () => {
      client.write("HTTP/1.1 200 Connection established\r\n\r\n");
      upstream.write(head);
      upstream.pipe(client).pipe(upstream);
    });
    upstream.on("error", () => client.destroy());
    upstream.once("close", () => client.destroySoon());
    for (const event of ["end", "close"]) client.once(event, () => upstream.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("The proxy does not listen");
  return {
    port: address.port,
    asked,
    open,
    async close() {
      for (const socket of open) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
