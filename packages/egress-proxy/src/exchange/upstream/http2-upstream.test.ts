import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import net, { type AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { Http2Connection } from "./http2-upstream.ts";

const request = {
  method: "GET",
  target: "/",
  host: "api.example.com",
  fields: [],
  secretFields: [],
  takesTrailers: false,
  upgrade: undefined,
};

async function connectTo(t: TestContext, server: net.Server) {
  const sockets = new Set<net.Socket>();
  server.on("connection", (socket: net.Socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = net.connect((server.address() as AddressInfo).port, "127.0.0.1");
  await once(socket, "connect");
  const connection = new Http2Connection(socket, request.host, {
    clock: { monotonicMilliseconds: () => 0 },
    watchdogs: { check: () => () => undefined },
    onActivity: () => undefined,
  });
  t.after(() => {
    connection.destroy();
    for (const each of sockets) each.destroy();
    server.close();
  });
  return { connection, socket };
}

test("Http2Upstream: interim heads that nobody takes end the stream, before they take memory", async (t) => {
  const server = http2.createServer();
  const { connection } = await connectTo(t, server);
  const upstream = connection.exchange();
  upstream.sendBodiless(request, false);
  const [stream]: http2.ServerHttp2Stream[] = await once(server, "stream");
  assert.ok(stream !== undefined);
  const closed = new Promise((resolve) => stream.once("close", resolve));
  stream.on("error", () => undefined);
  const send = () => {
    if (stream.destroyed || stream.closed) return;
    stream.additionalHeaders({ ":status": 103, link: "v".repeat(1000) });
    setImmediate(send);
  };
  send();
  await closed;
  assert.equal(stream.rstCode, http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
});

test("Http2Connection: may be destroyed before its session has begun", async (t) => {
  const { connection, socket } = await connectTo(t, http2.createServer());
  const closed = once(socket, "close");
  connection.exchange().sendBodiless(request, false);
  connection.destroy();
  await closed;
});
