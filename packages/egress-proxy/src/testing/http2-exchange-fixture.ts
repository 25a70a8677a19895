import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import type { TestContext } from "node:test";
import {
  type ExchangeFixture,
  type ExchangeFixtureOptions,
  startExchange,
} from "./http-exchange-fixture.ts";

/** What a guest received on one stream. */
export interface StreamResult {
  readonly status: number | undefined;
  readonly headers: http2.IncomingHttpHeaders;
  readonly raw: readonly string[];
  readonly interim: readonly http2.IncomingHttpHeaders[];
  readonly body: Buffer;
  readonly trailers: http2.IncomingHttpHeaders | undefined;
  readonly resetCode: number | undefined;
}

export interface Http2Fixture extends ExchangeFixture {
  /** A session of a guest. */
  readonly session: http2.ClientHttp2Session;
  openSession(options?: http2.ClientSessionOptions): http2.ClientHttp2Session;
  /** Sends a request on the session and resolves when its stream is closed. */
  request(
    headers?: http2.OutgoingHttpHeaders | readonly string[],
    body?: string | Buffer,
    trailers?: http2.OutgoingHttpHeaders,
  ): Promise<StreamResult>;
  /** Sessions and streams that the upstream saw. */
  readonly upstream: {
    readonly port: number;
    readonly sessions: http2.ServerHttp2Session[];
    readonly streams: http2.ServerHttp2Stream[];
  };
}

export type StreamListener = (
  stream: http2.ServerHttp2Stream,
  headers: http2.IncomingHttpHeaders,
  raw: readonly string[],
) => void;

/**
 * The data path between a guest that speaks HTTP/2 and an upstream that does,
 * where `onStream` serves it. Without `onStream`, the upstream speaks HTTP/1.1.
 */
export async function startHttp2Exchange(
  t: TestContext,
  given: ExchangeFixtureOptions & {
    readonly onStream?: StreamListener;
    readonly upstreamOptions?: http2.ServerOptions;
  },
): Promise<Http2Fixture> {
  const sessionsSeen: http2.ServerHttp2Session[] = [];
  const streamsSeen: http2.ServerHttp2Stream[] = [];
  const server = http2.createServer(given.upstreamOptions ?? {});
  server.on("session", (session) => {
    sessionsSeen.push(session);
    session.on("error", ignore);
  });
  server.on("stream", (stream, headers, _flags, raw: readonly string[]) => {
    stream.on("error", ignore);
    streamsSeen.push(stream);
    given.onStream?.(stream, headers, raw);
  });
  const upstreamSockets = new Set<net.Socket>();
  server.on("connection", (socket: net.Socket) => {
    upstreamSockets.add(socket);
    socket.on("close", () => upstreamSockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as net.AddressInfo;
  const exchange = await startExchange({
    protocol: "h2",
    ...given,
    ...(given.onStream === undefined ? {} : { dial: given.dial ?? dialHttp2(port) }),
  });
  const sessions = new Set<http2.ClientHttp2Session>();
  const openSession = (options: http2.ClientSessionOptions = {}) => {
    const session = http2.connect("https://api.example.com", {
      ...options,
      createConnection: () => net.connect({ port: exchange.port, host: "127.0.0.1" }),
    });
    session.on("error", ignore);
    sessions.add(session);
    return session;
  };
  let session: http2.ClientHttp2Session | undefined;
  t.after(async () => {
    for (const opened of sessions) opened.destroy();
    for (const socket of upstreamSockets) socket.destroy();
    server.close();
    await exchange.close();
  });
  const fixture: Http2Fixture = Object.create(exchange, {
    session: { get: () => (session ??= openSession()) },
    openSession: { value: openSession },
    request: {
      value: (
        headers: http2.OutgoingHttpHeaders = {},
        body?: string | Buffer,
        trailers?: http2.OutgoingHttpHeaders,
      ) => requestOn(fixture.session, headers, body, trailers),
    },
    upstream: { value: { port, sessions: sessionsSeen, streams: streamsSeen } },
  });
  return fixture;
}

export async function requestOn(
  session: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders | readonly string[],
  body?: string | Buffer,
  trailers?: http2.OutgoingHttpHeaders,
): Promise<StreamResult> {
  const stream = session.request(headers, {
    endStream: body === undefined && trailers === undefined,
    waitForTrailers: trailers !== undefined,
  });
  if (trailers !== undefined) stream.on("wantTrailers", () => stream.sendTrailers(trailers));
  const result = resultOf(stream);
  if (body !== undefined || trailers !== undefined) stream.end(body);
  return await result;
}

/** Collects what arrives on a stream until it is closed. */
export async function resultOf(stream: http2.ClientHttp2Stream): Promise<StreamResult> {
  const parts: Buffer[] = [];
  const interim: http2.IncomingHttpHeaders[] = [];
  let headers: http2.IncomingHttpHeaders = {};
  let raw: readonly string[] = [];
  let trailers: http2.IncomingHttpHeaders | undefined;
  stream.on("headers", (received) => interim.push(received));
  stream.on("response", (received, _flags, list: readonly string[]) => {
    headers = received;
    raw = list;
  });
  stream.on("data", (part: Buffer) => parts.push(part));
  stream.on("trailers", (received) => {
    trailers = received;
  });
  stream.on("error", ignore);
  if (!stream.destroyed) await new Promise((resolve) => stream.once("close", resolve));
  return {
    status: headers[":status"] === undefined ? undefined : Number(headers[":status"]),
    headers,
    raw,
    interim,
    body: Buffer.concat(parts),
    trailers,
    resetCode: stream.rstCode,
  };
}

/** A dial to an upstream on loopback that agreed to HTTP/2. */
export function dialHttp2(port: number): NonNullable<ExchangeFixtureOptions["dial"]> {
  return async () => {
    const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    return Object.assign(socket, { alpnProtocol: "h2" });
  };
}

function ignore(): void {
  // The result has what can be observed.
}
