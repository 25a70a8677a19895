import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { WireError } from "@opencomputer/protocol/api";
import { metadataService, serviceLimits } from "@opencomputer/protocol/wire";
import type { RunningSandbox, Sandboxes } from "../sandboxes/sandboxes.ts";
import { type MetadataResponse, metadataResponse } from "./metadata-response.ts";

const headBytesMax = 8 * 1024;

/**
 * Starts the service that guests reach at http://169.254.169.254. A sandbox is
 * identified only by the address that its slot gives its packets; an address of
 * no running sandbox gets no response. Each connection serves one request.
 */
export async function startMetadataService(options: {
  address: string;
  port?: number;
  listRunning: () => RunningSandbox[];
  scale: Sandboxes["scale"];
  now: () => number;
  log: { warn(details: object, message: string): void };
}): Promise<{ port: number; close(): Promise<void> }> {
  const { now } = options;
  const connectionCounts = new Map<string, number>();
  const requestCounts = new Map<string, { second: number; count: number }>();
  const scaling = new Set<string>();

  const find = (sourceAddress: string) =>
    options.listRunning().find((running) => running.sourceAddress === sourceAddress);

  function isTooFast(sourceAddress: string): boolean {
    const second = Math.floor(now() / 1000);
    for (const [address, counted] of requestCounts) {
      if (counted.second !== second) requestCounts.delete(address);
    }
    const count = (requestCounts.get(sourceAddress)?.count ?? 0) + 1;
    requestCounts.set(sourceAddress, { second, count });
    return count > serviceLimits.metadataRequestsPerSecondMax;
  }

  async function respond(request: IncomingMessage): Promise<MetadataResponse | undefined> {
    const sourceAddress = request.socket.remoteAddress ?? "";
    if (find(sourceAddress) === undefined) return undefined;
    if (isTooFast(sourceAddress)) return tooMany("requests in a second");
    const body = await readBody(request);
    if (body === undefined) {
      const message = `The body must be at most ${serviceLimits.metadataBodyBytesMax} bytes`;
      return failure(new WireError("body_too_large", message));
    }
    const method = request.method === "HEAD" ? "GET" : (request.method ?? "");
    const [path = ""] = (request.url ?? "").split("?");
    const isChange = method !== "GET";
    if (isChange && scaling.has(sourceAddress)) return tooMany("changes of the size at once");
    // Another sandbox may have got the address while the body arrived.
    const sandbox = find(sourceAddress);
    if (sandbox === undefined) return undefined;
    if (isChange) scaling.add(sourceAddress);
    try {
      const { scale } = options;
      return await metadataResponse({ scale, now }, sandbox, { method, path, body });
    } finally {
      if (isChange) scaling.delete(sourceAddress);
    }
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const responded = await respond(request);
    if (responded === undefined) {
      request.socket.destroy();
      return;
    }
    const text = JSON.stringify(responded.body);
    response.writeHead(responded.status, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(text),
      connection: "close",
    });
    response.end(text);
  }

  const server = createServer(
    {
      maxHeaderSize: headBytesMax,
      headersTimeout: serviceLimits.metadataRequestTimeoutSeconds * 1000,
      requestTimeout: serviceLimits.metadataRequestTimeoutSeconds * 1000,
      connectionsCheckingInterval: 1000,
    },
    (request, response) => {
      serve(request, response).catch((error: unknown) => {
        options.log.warn({ err: error }, "A request to the metadata service failed");
        request.socket.destroy();
      });
    },
  );
  server.on("clientError", (_error, socket) => socket.destroy());
  server.on("connection", (socket) => {
    const address = socket.remoteAddress ?? "";
    const count = (connectionCounts.get(address) ?? 0) + 1;
    connectionCounts.set(address, count);
    socket.once("close", () => {
      const left = (connectionCounts.get(address) ?? 1) - 1;
      if (left > 0) connectionCounts.set(address, left);
      else connectionCounts.delete(address);
    });
    const isOver = count > serviceLimits.metadataConnectionsPerSandboxMax;
    if (isOver || find(address) === undefined) socket.destroy();
  });
  server.listen({ host: options.address, port: options.port ?? metadataService.port });
  await once(server, "listening");
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : 0,
    async close() {
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, "close");
    },
  };
}

/** Reads the body; undefined when it is too large. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    const buffer = Buffer.from(chunk);
    bytes += buffer.length;
    if (bytes > serviceLimits.metadataBodyBytesMax) return undefined;
    chunks.push(buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function tooMany(what: string): MetadataResponse {
  return failure(new WireError("too_many_requests", `Too many ${what}: try again later`));
}

function failure(error: WireError): MetadataResponse {
  return { status: error.status, body: error.toBody() };
}
