import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import net, { type AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { Http2Connection } from "./http2-connection.ts";

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

test("Http2Upstream: a stream that the upstream does not end after a response without a body is reset", async (t) => {
  const reset = new Map<number, number>();
  const server = http2.createServer();
  server.on("stream", (stream) => {
    stream.on("error", () => undefined);
    stream.on("close", () => reset.set(stream.id ?? 0, stream.rstCode ?? 0));
    stream.respond({ ":status": 200, "content-length": "0" });
  });
  const { connection } = await connectTo(t, server);
  const exchange = async () => {
    const upstream = connection.exchange();
    upstream.sendBodiless(request, false);
    const head = await upstream.readHead((bytes) => bytes);
    assert.ok(head !== null);
    const { framing } = upstream.readBody(head, "GET", (line) => line);
    assert.equal(framing.kind, "none");
    assert.equal(upstream.mayContinue, true);
  };
  for (let count = 0; count < 130; count += 1) await exchange();
  while (reset.size < 30) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(reset.size < 130, "the others are waited for");
  while (reset.size < 130) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual([...new Set(reset.values())], [http2.constants.NGHTTP2_CANCEL]);
});
