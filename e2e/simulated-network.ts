import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decode, encode } from "dns-packet";

/** Nobody's address on loopback, by process, so that concurrent runs do not interfere. */
const nameserverAddress = `127.${90 + (process.pid % 10)}.${Math.floor(process.pid / 10) % 250}.53`;

/** An internet of which names have public addresses, and which is reached through an HTTP proxy. */
export interface SimulatedNetwork {
  /** Settings of an installation that is in this network. */
  readonly environment: Readonly<Record<string, string>>;
  /** `TYPE name` of every question that the nameserver received, in order. */
  readonly asked: readonly string[];
  /** Has connections to `host:port` end at a port of this host from now on. */
  serve(place: string, port: number): void;
  close(): Promise<void>;
}

/**
 * Starts a nameserver, which gives every name of `addresses` its IPv4 address and the same IPv6
 * one, and an HTTP proxy that connects to the places that were served.
 */
export async function startSimulatedNetwork(
  addresses: Readonly<Record<string, string>>,
): Promise<SimulatedNetwork> {
  const directory = await mkdtemp(join(tmpdir(), "opencomputer-network-"));
  const resolverFile = join(directory, "resolv.conf");
  await writeFile(resolverFile, `nameserver ${nameserverAddress}\n`);

  const asked: string[] = [];
  const nameserver = createSocket("udp4");
  nameserver.on("message", (message, from) => {
    const { id = 0, questions = [] } = decode(message);
    const [{ type = "A", name = "" } = {}] = questions;
    asked.push(`${type} ${name}`);
    const address = addresses[name];
    const record = { name, class: "IN", ttl: 5 } as const;
    const answers =
      address === undefined
        ? []
        : type === "A"
          ? [{ ...record, type, data: address }]
          : type === "AAAA"
            ? [{ ...record, type, data: "2606:2800:21f:cb07::1" }]
            : [];
    nameserver.send(encode({ type: "response", id, questions, answers }), from.port, from.address);
  });
  nameserver.bind(53, nameserverAddress);
  await once(nameserver, "listening");

  const ports = new Map<string, number>();
  const sockets = new Set<Socket>();
  const proxy = createServer((_request, response) => response.writeHead(405).end());
  proxy.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => sockets.delete(socket));
  });
  proxy.on("connect", (request, client: Socket, head) => {
    const port = ports.get(request.url ?? "");
    if (port === undefined) {
      client.end("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    client.allowHalfOpen = true;
    const upstream = connect({ host: "127.0.0.1", port, allowHalfOpen: true }, () => {
      client.write("HTTP/1.1 200 Connection established\r\n\r\n");
      upstream.write(head);
      upstream.pipe(client).pipe(upstream);
    });
    upstream.on("error", () => client.destroy());
    client.once("close", () => upstream.destroy());
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const { port: proxyPort } = proxy.address() as AddressInfo;

  return {
    environment: {
      OPENCOMPUTER_EGRESS_RESOLV_CONF: resolverFile,
      OPENCOMPUTER_EGRESS_UPSTREAM_PROXY: `http://127.0.0.1:${proxyPort}`,
    },
    asked,
    serve: (place, port) => void ports.set(place, port),
    async close() {
      nameserver.close();
      for (const socket of sockets) socket.destroy();
      proxy.close();
      await once(proxy, "close");
      await rm(directory, { recursive: true });
    },
  };
}
