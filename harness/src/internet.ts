import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
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

/** A stand-in for the internet: hosts with certificates of their own authority, on loopback. */
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
  /** Ends the connection of a request with a TCP reset. */
  reset(request: IncomingMessage): void;
  close(): Promise<void>;
}

/**
 * Starts the hosts. `handler` answers for all of them: by default with a JSON
 * object that tells nothing of the request. `plainHosts` speak HTTP, not HTTPS.
 */
export async function startInternet({
  hosts,
  plainHosts = [],
  misnamedHosts = [],
  handler = answerOk,
  streamed = false,
}: {
  hosts: string[];
  plainHosts?: string[];
  /** Names whose server shows the certificate of the other hosts. */
  misnamedHosts?: string[];
  handler?: Handler;
  /** Hands requests to the handler before their body, which is neither kept nor recorded. */
  streamed?: boolean;
}): Promise<Internet> {
  const directory = await mkdtemp(join(tmpdir(), "opencomputer-internet-"));
  const caFile = join(directory, "ca.pem");
  const authority = await createAuthority("Stand-in internet");
  const { certificatePem, privateKeyPem } = await issueCertificate(authority, hosts);
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
  for (const server of [https, http]) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  }
  const httpsPort = (https.address() as AddressInfo).port;
  const httpPort = (http.address() as AddressInfo).port;

  return {
    egressHosts: [
      ...[...hosts, ...misnamedHosts].map((host) => `${host}=127.0.0.1:${httpsPort}`),
      ...plainHosts.map((host) => `${host}:80=127.0.0.1:${httpPort}`),
    ].join(","),
    caFile,
    authority,
    httpsPort,
    requests,
    requestsTo: (host) => requests.filter((request) => request.host === host),
    reset: (request) => void tcpSockets.get(request.socket.remotePort ?? 0)?.resetAndDestroy(),
    async close() {
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
  // A guest that goes away in the middle of its request leaves nothing to answer.
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

function answerOk(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { "content-type": "application/json" });
  response.end('{"ok":true}\n');
}
