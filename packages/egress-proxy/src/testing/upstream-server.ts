import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
} from "node:http";
import { createSecureServer } from "node:http2";
import { createServer } from "node:https";
import type { Duplex } from "node:stream";
import { createSecureContext, type TlsOptions } from "node:tls";
import { WebSocketServer } from "ws";
import type { TestAuthority } from "./certificates.ts";

/** A request as the upstream received it. */
export interface SeenRequest {
  readonly method: string;
  readonly host: string;
  /** In origin form. */
  readonly target: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  readonly bodyBytes: number;
  readonly connection: number;
}

export interface UpstreamServer {
  readonly tlsPort: number;
  readonly httpPort: number;
  /** Speaks HTTP/2 alone, and responds to every request with its pseudo-header fields and its body. */
  readonly http2Port: number;
  readonly seen: SeenRequest[];
  /** The last request; throws when there was none. */
  last(): SeenRequest;
  close(): Promise<void>;
}

const keptBodyBytesMax = 64 * 1024;

/**
 * A stand-in for the internet: an HTTPS and an HTTP server for every host.
 * `/echo` responds with the headers and body that it received, `/digest` with the
 * body's SHA-256, `/zeros?bytes=` with so many zero bytes, `/chunks` in chunks
 * with a trailer. A WebSocket gets its handshake's headers as its first
 * message, and an echo of each that it sends. A further server speaks HTTP/2 alone.
 */
export async function startUpstreamServer(options: {
  authority: TestAuthority;
  /** Certificates for hosts that have one of their own; others are issued by the authority. */
  certificates?: ReadonlyMap<string, { cert: string; key: string }>;
}): Promise<UpstreamServer> {
  const seen: SeenRequest[] = [];
  const connections = new WeakMap<object, number>();
  let connectionCount = 0;

  const listener: RequestListener = (request, response) => {
    const url = new URL(request.url ?? "/", "http://upstream");
    const hash = createHash("sha256");
    const kept: Buffer[] = [];
    let bodyBytes = 0;
    request.on("data", (chunk: Buffer) => {
      hash.update(chunk);
      bodyBytes += chunk.length;
      if (bodyBytes <= keptBodyBytesMax) kept.push(chunk);
    });
    request.on("end", () => {
      const body = Buffer.concat(kept).toString("latin1");
      const connection = connections.get(request.socket) ?? 0;
      const { headers, method = "", url: target = "" } = request;
      seen.push({
        ...{ method, host: headers.host ?? "", target, headers, body },
        ...{ bodyBytes, connection },
      });
      if (url.pathname === "/echo") {
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify({ headers, body }));
      } else if (url.pathname === "/digest") {
        response.end(hash.digest("hex"));
      } else if (url.pathname === "/zeros") {
        const zeros = Buffer.alloc(Number(url.searchParams.get("bytes")));
        response.setHeader("content-length", zeros.length);
        response.end(zeros);
      } else if (url.pathname === "/chunks") {
        response.setHeader("trailer", "x-trailer");
        response.write("one ");
        response.write("two ");
        response.addTrailers({ "x-trailer": "three" });
        response.end();
      } else {
        response.end("hello");
      }
    });
  };

  const webSockets = new WebSocketServer({ noServer: true });
  const SNICallback: NonNullable<TlsOptions["SNICallback"]> = (serverName, callback) => {
    const own = options.certificates?.get(serverName);
    const made = own === undefined ? options.authority.issue({ hosts: [serverName] }) : own;
    Promise.resolve(made).then(
      (certificate) => callback(null, createSecureContext(certificate)),
      (error: Error) => callback(error),
    );
  };
  const secure = createServer({ SNICallback }, listener);
  const http2 = createSecureServer({ SNICallback });
  const http2Sockets = new Set<Duplex>();
  http2.on("secureConnection", (socket: Duplex) => {
    http2Sockets.add(socket);
    socket.on("close", () => http2Sockets.delete(socket));
  });
  http2.on("stream", (stream, headers) => {
    const parts: Buffer[] = [];
    stream.on("error", () => stream.destroy());
    stream.on("data", (part: Buffer) => parts.push(part));
    stream.on("end", () => {
      const body = Buffer.concat(parts);
      seen.push({
        method: headers[":method"] ?? "",
        host: headers[":authority"] ?? "",
        target: headers[":path"] ?? "",
        headers,
        body: body.toString("latin1"),
        bodyBytes: body.length,
        connection: 0,
      });
      stream.respond({ ":status": 200, "content-type": headers["content-type"] ?? "text/plain" });
      stream.end(body.length > 0 ? body : `${headers[":method"]} ${headers[":path"]}`);
    });
  });
  http2.listen(0, "127.0.0.1");
  await once(http2, "listening");
  const plain = createHttpServer(listener);
  for (const server of [secure, plain]) {
    const opened = server === secure ? "secureConnection" : "connection";
    server.on(opened, (socket: object) => {
      connectionCount += 1;
      connections.set(socket, connectionCount);
    });
    server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      webSockets.handleUpgrade(request, socket, head, (webSocket) => {
        webSocket.send(JSON.stringify(request.headers));
        webSocket.on("message", (data, isBinary) => webSocket.send(data, { binary: isBinary }));
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  }

  return {
    tlsPort: portOf(secure.address()),
    httpPort: portOf(plain.address()),
    http2Port: portOf(http2.address()),
    seen,
    last: () => seen.at(-1) ?? fail("The upstream has seen no request"),
    async close() {
      http2.close();
      for (const socket of http2Sockets) socket.destroy();
      for (const server of [secure, plain]) {
        server.close();
        server.closeAllConnections();
      }
    },
  };
}

function portOf(address: unknown): number {
  if (typeof address === "object" && address !== null && "port" in address) {
    return Number(address.port);
  }
  return fail("The upstream does not listen");
}

function fail(message: string): never {
  throw new Error(message);
}
