import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { WebSocket, WebSocketServer } from "ws";
import { ByteChannel } from "../../http1/byte-channel.ts";
import { readHead } from "../../http1/head-reader.ts";
import { parseResponseHead } from "../../http1/response-head.ts";
import { checkWebSocketResponse } from "../check-websocket-response.ts";
import { relayWebSocket, type WebSocketHooks } from "../relay-websocket.ts";

export interface WebSocketScenario {
  readonly bytes: { fromGuest: number; toGuest: number };
  /** A client that reaches the server through the relay, and the server's end of it. */
  connect(): Promise<{ client: WebSocket; server: WebSocket }>;
  /** How each relay ended: undefined or its error. */
  readonly outcomes: unknown[];
  /** What the relay's sockets hold, read or to be written. */
  bufferedBytes(): number;
  stop(): Promise<void>;
}

/** The `ws` package at both ends of `relayWebSocket`, over loopback sockets. */
export async function startWebSocketScenario(
  transforms: Pick<WebSocketHooks, "fromGuest" | "toGuest">,
): Promise<WebSocketScenario> {
  const upstream = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
  await once(upstream, "listening");
  const upstreamPort = (upstream.address() as AddressInfo).port;
  const bytes = { fromGuest: 0, toGuest: 0 };
  const outcomes: unknown[] = [];
  const sockets = new Set<Socket>();
  const proxy: Server = createServer({ allowHalfOpen: true }, (socket) => {
    const dialled = connect({ port: upstreamPort, host: "127.0.0.1", allowHalfOpen: true });
    for (const each of [socket, dialled]) sockets.add(each);
    serve(open(socket), open(dialled), {
      ...transforms,
      bytes,
      messages: { fromGuest: 0, toGuest: 0 },
      takeTurn: () => undefined,
      onClosing: () => undefined,
    }).then(
      () => outcomes.push(undefined),
      (error: unknown) => outcomes.push(error),
    );
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const port = (proxy.address() as AddressInfo).port;

  return {
    bytes,
    outcomes,
    async connect() {
      const accepted = once(upstream, "connection");
      const client = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: false });
      await once(client, "open");
      const [server] = (await accepted) as [WebSocket];
      return { client, server };
    },
    bufferedBytes() {
      let buffered = 0;
      for (const socket of sockets) buffered += socket.readableLength + socket.writableLength;
      return buffered;
    },
    async stop() {
      for (const client of upstream.clients) client.terminate();
      for (const socket of sockets) socket.destroy();
      upstream.close();
      proxy.close();
      await Promise.all([once(proxy, "close"), once(upstream, "close")]);
    },
  };
}

async function serve(guest: ByteChannel, upstream: ByteChannel, hooks: WebSocketHooks) {
  try {
    upstream.write(await headText(guest));
    const head = await headText(upstream);
    checkWebSocketResponse(parseResponseHead(Buffer.from(head.slice(0, -4))).fields);
    guest.write(head);
    await relayWebSocket(guest, upstream, hooks);
  } finally {
    upstream.destroy();
    await guest.lingeringClose(100);
  }
}

async function headText(channel: ByteChannel): Promise<string> {
  const head = await readHead(channel);
  return `${head?.toString("latin1") ?? ""}\r\n\r\n`;
}

function open(socket: Socket): ByteChannel {
  const ignore = () => undefined;
  return new ByteChannel(socket, { onActivity: ignore, onClosed: ignore });
}
