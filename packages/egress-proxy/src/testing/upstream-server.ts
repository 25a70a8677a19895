import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
} from "node:http";
import { createServer } from "node:https";
import type { Duplex } from "node:stream";
import { createSecureContext } from "node:tls";
import { WebSocketServer } from "ws";
import type { TestAuthority } from "./certificates.ts";

/** A request as the upstream saw it. */
export interface SeenRequest {
  readonly host: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
  readonly bodyBytes: number;
  readonly connection: number;
}

export interface UpstreamServer {
  readonly tlsPort: number;
  readonly httpPort: number;
  readonly seen: SeenRequest[];
  /** The last request; throws when there was none. */
  last(): SeenRequest;
  close(): Promise<void>;
}

const keptBodyBytesMax = 64 * 1024;

/**
 * "The internet": an HTTPS and an HTTP server for whatever host is asked for.
 * `/echo` responds with the headers and body that came, `/digest` with the
 * body's SHA-256, `/zeros?bytes=` with so many zero bytes, `/chunks` in chunks
 * with a trailer. A WebSocket gets its handshake's headers as its first
 * message, and an echo of each that it sends.
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
      const { headers } = request;
      seen.push({ host: headers.host ?? "", headers, body, bodyBytes, connection });
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
  const secure = createServer(
    {
      SNICallback: (serverName, callback) => {
        const own = options.certificates?.get(serverName);
        const made = own === undefined ? options.authority.issue({ hosts: [serverName] }) : own;
        Promise.resolve(made).then(
          (certificate) => callback(null, createSecureContext(certificate)),
          (error: Error) => callback(error),
        );
      },
    },
    listener,
  );
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
    seen,
    last: () => seen.at(-1) ?? fail("The upstream has seen no request"),
    async close() {
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
