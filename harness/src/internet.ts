import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Authority, createAuthority, issueCertificate } from "./certificates.ts";

const recordedBodyBytesMax = 64 * 1024 * 1024;

/** A request as one of the hosts received it. */
export interface ReceivedRequest {
  host: string;
  method: string;
  url: string;
  headers: Record<string, string>;
  /** The body as text; at most its first 64 MiB. */
  body: string;
  bodyBytes: number;
}

export type Handler = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;

/** A simulated internet: hosts with certificates of their own authority, on loopback. */
export interface Internet {
  /** Value for `OPENCOMPUTER_EGRESS_HOSTS`. */
  readonly egressHosts: string;
  /** Value for `OPENCOMPUTER_EGRESS_CA_FILE`. */
  readonly caFile: string;
  readonly authority: Authority;
  readonly httpsPort: number;
  /** Every request so far, in the order of their end. */
  readonly requests: ReceivedRequest[];
  requestsTo(host: string): ReceivedRequest[];
  /** Serves the streams to the `streamPlaces` from now on; they echo until then. */
  serveStreams(serve: (socket: Socket) => void): void;
  /** Ends the connection of a request with a TCP reset. */
  reset(request: IncomingMessage): void;
  close(): Promise<void>;
}

/** What is on a simulated internet. */
export interface InternetOptions {
  /** Names of hosts that speak HTTPS. */
  hosts?: string[];
  /** Names whose address a nameserver of the test gives: `egressHosts` has none of them. */
  publicHosts?: string[];
  /** Hosts that speak HTTP, not HTTPS. */
  plainHosts?: string[];
  /** Names whose server shows the certificate of the other hosts. */
  misnamedHosts?: string[];
  /** `host:port` of hosts that serve HTTPS on another port. */
  otherHttpsPlaces?: string[];
  /** `host:port` of hosts that serve something else than HTTP. */
  streamPlaces?: string[];
  /** Responds for all of them: by default with a JSON object that has nothing of the request. */
  handler?: Handler;
  /** Hands requests to the handler before their body, which is neither kept nor recorded. */
  streamed?: boolean;
}

export async function startInternet({
  hosts = [],
  publicHosts = [],
  plainHosts = [],
  misnamedHosts = [],
  otherHttpsPlaces = [],
  streamPlaces = [],
  handler = respondOk,
  streamed = false,
}: InternetOptions = {}): Promise<Internet> {
  const directory = await mkdtemp(join(tmpdir(), "opencomputer-internet-"));
  const caFile = join(directory, "ca.pem");
  const authority = await createAuthority("Simulated internet");
  const { certificatePem, privateKeyPem } = await issueCertificate(authority, [
    ...hosts,
    ...publicHosts,
  ]);
  await writeFile(caFile, authority.certificatePem);

  const requests: ReceivedRequest[] = [];
  const listen = (request: IncomingMessage, response: ServerResponse) => {
    if (streamed) handler(request, response, Buffer.alloc(0));
    else void receive(request, response, handler, requests);
  };
  const https = createTlsServer({ key: privateKeyPem, cert: certificatePem }, listen);
  // TLS sockets cannot reset their connection: the TCP socket below them can.
  const tcpSockets = new Map<number, Socket>();
  https.on("connection", (socket: Socket) => {
    const port = socket.remotePort ?? 0;
    tcpSockets.set(port, socket);
    socket.once("close", () => tcpSockets.delete(port));
  });
  const http = createServer(listen);
  let serveStream = (socket: Socket): void => void socket.pipe(socket);
  const streams = createTcpServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    serveStream(socket);
  });
  for (const server of [https, http, streams]) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  }
  const { port: streamPort } = streams.address() as AddressInfo;
  const httpsPort = (https.address() as AddressInfo).port;
  const httpPort = (http.address() as AddressInfo).port;

  return {
    egressHosts: [
      ...[...hosts, ...misnamedHosts].map((host) => `${host}=127.0.0.1:${httpsPort}`),
      ...plainHosts.map((host) => `${host}:80=127.0.0.1:${httpPort}`),
      ...otherHttpsPlaces.map((place) => `${place}=127.0.0.1:${httpsPort}`),
      ...streamPlaces.map((place) => `${place}=127.0.0.1:${streamPort}`),
    ].join(","),
    caFile,
    authority,
    httpsPort,
    requests,
    requestsTo: (host) => requests.filter((request) => request.host === host),
    serveStreams(serve) {
      serveStream = serve;
    },
    reset: (request) => void tcpSockets.get(request.socket.remotePort ?? 0)?.resetAndDestroy(),
    async close() {
      streams.close();
      for (const server of [https, http]) {
        server.closeAllConnections();
        server.close();
        await once(server, "close");
      }
      await rm(directory, { recursive: true });
    },
  };
}

async function receive(
  request: IncomingMessage,
  response: ServerResponse,
  handler: Handler,
  requests: ReceivedRequest[],
): Promise<void> {
  const chunks: Buffer[] = [];
  let bodyBytes = 0;
  request.on("data", (chunk: Buffer) => {
    if (bodyBytes < recordedBodyBytesMax) chunks.push(chunk);
    bodyBytes += chunk.length;
  });
  // A guest that goes away in the middle of its request needs no response.
  request.once("error", () => response.destroy());
  request.once("end", () => {
    const body = Buffer.concat(chunks);
    requests.push({
      host: request.headers.host ?? "",
      method: request.method ?? "",
      url: request.url ?? "",
      headers: Object.fromEntries(
        Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
      ),
      body: body.toString(),
      bodyBytes,
    });
    handler(request, response, body);
  });
}

export function respondOk(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { "content-type": "application/json" });
  response.end('{"ok":true}\n');
}
