import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import net, { type AddressInfo, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { describe, type TestContext, test } from "node:test";
import { acceptOf } from "../../http/web-socket-key.ts";
import { readUntil } from "../../testing/http-exchange-fixture.ts";
import { policyOf, secretOf, tokenOf } from "../../testing/http-policy.ts";
import {
  dialHttp2,
  type Http2Fixture,
  requestOn,
  resultOf,
  type StreamListener,
  startHttp2Exchange,
} from "../../testing/http2-exchange-fixture.ts";
import { DialError } from "../../upstream/destination.ts";
import type { Protocol } from "../../upstream/upstream-protocols.ts";
import { opcodes } from "../../websocket/frame.ts";
import { frameOf, readMessages } from "../../websocket/testing/web-socket-frames.ts";

const value = "sk-Q7v2mX9Lp4ZtW8cKdR3Hn5Yb";
const token = tokenOf("a");
const policy = policyOf([
  secretOf("KEY", "a", value),
  secretOf("ELSEWHERE", "b", "Zx8Kq3Vn6Tb1Wm4Rp7Lc", ["other.example"]),
]);
const connect = {
  ":method": "CONNECT",
  ":protocol": "websocket",
  ":path": "/chat",
  "sec-websocket-version": "13",
};

/** A side of a WebSocket that was opened. */
interface Opened {
  readonly socket: Duplex;
  /** The request that opened it, as it arrived. */
  readonly request: string;
}

/** An upstream that speaks these versions of HTTP, and opens each WebSocket that it is asked for. */
interface Options {
  readonly speaks: readonly Protocol[];
  /** Whether it takes WebSockets over HTTP/2. */
  readonly takesConnect?: boolean;
  readonly guest?: Protocol;
  readonly policy?: typeof policy;
  /** What it responds to a request over HTTP/1.1 instead of opening a WebSocket; `accept` belongs to its key. */
  readonly respond?: (accept: string) => string;
  readonly onStream?: StreamListener;
  /** Whether it agrees to HTTP/2, and then sends nothing. */
  readonly isSilent?: boolean;
}

async function start(t: TestContext, options: Options) {
  const { speaks, takesConnect = false, guest = "h2" } = options;
  const opened: Opened[] = [];
  let notify: () => void = () => undefined;
  const open = (socket: Duplex, request: string) => {
    socket.on("error", () => socket.destroy());
    opened.push({ socket, request });
    notify();
  };
  const server = net.createServer((socket) => {
    t.after(() => socket.destroy());
    socket.on("error", () => socket.destroy());
    if (options.isSilent === true) return;
    socket.once("data", (head: Buffer) => {
      const request = head.toString("latin1");
      const key = /^sec-websocket-key: (.*)\r$/im.exec(request)?.[1];
      if (key === undefined) {
        socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
        return;
      }
      const respond =
        options.respond ??
        ((accept) =>
          `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\nX-Echo: ${value}\r\n\r\n`);
      socket.write(respond(acceptOf(key)));
      open(socket, request);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const exchange: Http2Fixture = await startHttp2Exchange(t, {
    policy: options.policy ?? policy,
    protocol: guest,
    options: options.isSilent === true ? { silenceTimeoutSeconds: 0.2 } : {},
    upstreamOptions: { settings: { enableConnectProtocol: takesConnect } },
    async dial(destination, signal, protocols) {
      const protocol = protocols.find((each) => speaks.includes(each));
      if (protocol === undefined) {
        throw new DialError("protocol_not_supported", `${destination.host} speaks ${speaks} alone`);
      }
      if (protocol === "h2" && options.isSilent !== true) {
        return await dialHttp2(exchange.upstream.port)(destination, signal, protocols);
      }
      const socket = net.connect((server.address() as AddressInfo).port, "127.0.0.1");
      await once(socket, "connect");
      return Object.assign(socket, { alpnProtocol: protocol });
    },
    onStream(stream, headers, raw) {
      if (headers[":protocol"] !== "websocket") {
        stream.respond({ ":status": 200 });
        stream.end("ok");
      } else if (options.onStream !== undefined) options.onStream(stream, headers, raw);
      else {
        stream.respond({ ":status": 200, "x-echo": value });
        open(stream, raw.join("\n"));
      }
    },
  });
  return {
    exchange,
    opened,
    /** The upstream's side of the last WebSocket. */
    async upstream(): Promise<Opened> {
      while (opened.length === 0) {
        await new Promise<void>((resolve) => {
          notify = resolve;
        });
      }
      return opened.at(-1) ?? assert.fail();
    },
  };
}

/** Opens a WebSocket as a guest that speaks HTTP/2, once the proxy has stated that it takes one. */
async function openOn(session: http2.ClientHttp2Session, fields: http2.OutgoingHttpHeaders = {}) {
  if (session.remoteSettings.enableConnectProtocol !== true) await once(session, "remoteSettings");
  return session.request({ ...connect, ...fields }, { endStream: false });
}

/** Reads as many messages as asked for. */
async function messagesOn(socket: Duplex, sender: "guest" | "upstream", count: number) {
  const parts: Buffer[] = [];
  while (readMessages(parts, sender).length < count) {
    const [part] = await once(socket, "data");
    parts.push(part);
  }
  return readMessages(parts, sender);
}

const text = (payload: string, sender: "guest" | "upstream") =>
  frameOf({ opcode: opcodes.text, payload }, sender);

describe("WebSocket over HTTP/2: the guest", () => {
  const upstreams: [string, Options][] = [
    ["HTTP/1.1 alone", { speaks: ["http/1.1"] }],
    ["both, and takes none over HTTP/2", { speaks: ["h2", "http/1.1"] }],
    ["HTTP/2 alone", { speaks: ["h2"], takesConnect: true }],
  ];
  for (const [name, options] of upstreams) {
    test(`opens one to an upstream that speaks ${name}: handshake and messages are substituted and redacted`, async (t) => {
      const { exchange, upstream } = await start(t, options);
      const guest = await openOn(exchange.session, {
        authorization: `Bearer ${token}`,
        "sec-websocket-protocol": "chat",
        "sec-websocket-extensions": "permessage-deflate",
      });
      const [head] = await once(guest, "response");
      assert.equal(head[":status"], 200);
      assert.equal(head["x-echo"], token);
      for (const absent of ["sec-websocket-accept", "upgrade", "connection"]) {
        assert.equal(head[absent], undefined);
      }
      const { socket, request } = await upstream();
      assert.match(request, new RegExp(`authorization(: |\n)Bearer ${value}`, "i"));
      assert.match(request, /sec-websocket-protocol(: |\n)chat/i);
      assert.doesNotMatch(request, /extensions/i);
      guest.write(text(`<${token}> ${tokenOf("b")}`, "guest"));
      const received = await messagesOn(socket, "guest", 1);
      assert.deepEqual(received, [`text <${value}> ${tokenOf("b")}`]);
      socket.write(text(`echo ${value}`, "upstream"));
      assert.deepEqual(await messagesOn(guest, "upstream", 1), [`text echo ${token}`]);

      guest.write(frameOf({ opcode: opcodes.close, payload: "\x03\xe8" }, "guest"));
      await messagesOn(socket, "guest", 1);
      socket.write(frameOf({ opcode: opcodes.close, payload: "\x03\xe8" }, "upstream"));
      const closed = new Promise((resolve) => guest.once("close", resolve));
      await messagesOn(guest, "upstream", 1);
      await closed;
      assert.equal(guest.rstCode, http2.constants.NGHTTP2_NO_ERROR);
      const [audit] = await exchange.audited(1);
      assert.equal(audit?.status, 101);
      assert.equal(audit?.method, "GET");
      assert.deepEqual(audit?.substituted, ["KEY"]);
      assert.deepEqual(audit?.redacted, ["KEY"]);
      assert.equal(audit?.webSocket?.messagesFromGuest, 1);
      assert.equal(audit?.webSocket?.messagesToGuest, 1);
    });
  }

  test("shares the connection of other requests where the upstream takes one on it", async (t) => {
    const { exchange, upstream } = await start(t, {
      speaks: ["h2", "http/1.1"],
      takesConnect: true,
    });
    assert.equal((await exchange.request()).status, 200);
    const guest = await openOn(exchange.session);
    await once(guest, "response");
    assert.match((await upstream()).request, /:protocol\nwebsocket/);
    assert.equal(exchange.dialled.length, 1);
  });

  test("keeps none of the connections that other requests wait for", async (t) => {
    const { exchange } = await start(t, { speaks: ["http/1.1"] });
    for (let count = 0; count < 12; count += 1) {
      await once(await openOn(exchange.session), "response");
    }
    assert.equal((await exchange.request()).status, 200);
  });

  test("passes the refusal of an upstream on", async (t) => {
    const { exchange } = await start(t, {
      speaks: ["http/1.1"],
      respond: () => `HTTP/1.1 401 No\r\nContent-Length: 6\r\nX-Echo: ${value}\r\n\r\nno key`,
    });
    const result = await resultOf(await openOn(exchange.session));
    assert.equal(result.status, 401);
    assert.equal(result.headers["x-echo"], token);
    assert.equal(result.body.toString(), "no key");
    assert.equal((await exchange.request()).status, 200);
  });

  const unopened: [string, (accept: string) => string][] = [
    ["a page", () => `HTTP/1.1 200 OK\r\nContent-Length: 27\r\n\r\n${value}`],
    ["no content", () => "HTTP/1.1 204 No Content\r\n\r\n"],
    [
      "a handshake for another key",
      () =>
        `HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${acceptOf("other")}\r\n\r\n`,
    ],
    [
      "a handshake without the proof of its key",
      () => "HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ],
    [
      "an extension",
      (accept) =>
        `HTTP/1.1 101 S\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n`,
    ],
  ];
  for (const [name, respond] of unopened) {
    test(`is refused where the upstream responds with ${name}`, async (t) => {
      const { exchange } = await start(t, { speaks: ["http/1.1"], respond });
      const result = await resultOf(await openOn(exchange.session));
      assert.equal(result.status, 502);
      assert.equal(JSON.parse(result.body.toString()).code, "websocket_malformed");
      assert.equal(result.body.includes(value), false);
    });
  }

  test("is refused where the upstream takes none over the only version that it speaks", async (t) => {
    const { exchange, opened } = await start(t, { speaks: ["h2"] });
    for (const session of [exchange.session, exchange.openSession()]) {
      const result = await resultOf(await openOn(session));
      assert.equal(result.status, 502);
      assert.equal(JSON.parse(result.body.toString()).code, "protocol_not_supported");
      assert.equal((await requestOn(session, {})).status, 200);
    }
    assert.equal(opened.length, 0);
  });

  const refused: [string, http2.OutgoingHttpHeaders, number][] = [
    ["another authority", { ":authority": "other.example.com" }, 421],
    ["another protocol", { ":protocol": "connect-udp" }, 400],
    ["another scheme", { ":scheme": "http" }, 400],
  ];
  for (const [name, fields, status] of refused) {
    test(`is refused with ${name}, on its stream alone`, async (t) => {
      const { exchange, opened } = await start(t, { speaks: ["http/1.1"] });
      const result = await resultOf(await openOn(exchange.session, fields));
      assert.equal(result.status, status);
      assert.equal(opened.length, 0);
      assert.equal((await exchange.request()).status, 200);
    });
  }

  test("is refused at a host that is not allowed, and without a session", async (t) => {
    const { exchange, opened } = await start(t, {
      speaks: ["http/1.1"],
      policy: policyOf([], ["api.example.com"]),
    });
    const result = await resultOf(await openOn(exchange.session));
    assert.equal(result.status, 403);
    assert.equal(JSON.parse(result.body.toString()).code, "egress_host_not_allowed");
    exchange.policy = undefined;
    assert.equal((await resultOf(await openOn(exchange.session))).status, 403);
    assert.equal(opened.length, 0);
    assert.deepEqual(exchange.dialled, []);
  });

  test("loses it on both sides when either breaks it off", async (t) => {
    const { exchange, opened, upstream } = await start(t, { speaks: ["http/1.1"] });
    const first = await openOn(exchange.session);
    first.on("error", () => undefined);
    await once(first, "response");
    const { socket } = await upstream();
    socket.resume();
    const ended = new Promise((resolve) => socket.once("close", resolve));
    first.close(http2.constants.NGHTTP2_CANCEL);
    await ended;

    const second = await openOn(exchange.session);
    second.on("error", () => undefined);
    second.resume();
    await once(second, "response");
    const closed = new Promise((resolve) => second.once("close", resolve));
    const other = opened.at(-1)?.socket as Socket;
    other.write(text("half of a", "upstream").subarray(0, 5));
    other.resetAndDestroy();
    await closed;
    assert.notEqual(second.rstCode, http2.constants.NGHTTP2_NO_ERROR);
    assert.equal((await exchange.audited(2)).length, 2);
  });
});

describe("WebSocket over HTTP/2: the upstream of a guest that speaks HTTP/1.1", () => {
  const key = "dGhlIHNhbXBsZSBub25jZQ==";
  const request = `GET /chat HTTP/1.1\r\nHost: api.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\nAuthorization: Bearer ${token}\r\n\r\n`;
  const toHttp2: Options = { speaks: ["h2"], takesConnect: true, guest: "http/1.1" };

  test("gets an extended CONNECT, and the guest the handshake that it expects", async (t) => {
    const { exchange, upstream } = await start(t, toHttp2);
    const guest = exchange.connect();
    guest.write(request);
    const head = await readUntil(guest, (received) => received.includes("\r\n\r\n"));
    assert.match(head, /^HTTP\/1\.1 101 /);
    assert.match(head, /\r\nUpgrade: websocket\r\n/i);
    assert.match(head, /\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/);
    assert.match(head, new RegExp(`\r\nx-echo: ${token}\r\n`));
    const { socket, request: received } = await upstream();
    assert.match(received, /:method\nCONNECT\n:protocol\nwebsocket\n/);
    assert.match(received, new RegExp(`authorization\nBearer ${value}`));
    assert.doesNotMatch(received, /sec-websocket-key|connection|upgrade/);
    guest.write(text(`<${token}>`, "guest"));
    assert.deepEqual(await messagesOn(socket, "guest", 1), [`text <${value}>`]);
    socket.write(text(`echo ${value}`, "upstream"));
    assert.deepEqual(await messagesOn(guest, "upstream", 1), [`text echo ${token}`]);
  });

  test("passes its refusal on", async (t) => {
    const { exchange } = await start(t, {
      ...toHttp2,
      onStream(stream) {
        stream.respond({ ":status": 403, "content-length": 6 });
        stream.end("no key");
      },
    });
    const guest = exchange.connect();
    guest.write(request);
    const received = await readUntil(guest, (each) => each.endsWith("no key"));
    assert.match(received, /^HTTP\/1\.1 403 /);
  });

  test("that takes no WebSocket is asked for none", async (t) => {
    const { exchange, opened } = await start(t, { ...toHttp2, takesConnect: false });
    const received = await exchange.send(request.replace("Upgrade\r\n", "Upgrade, close\r\n"));
    assert.match(received, /^HTTP\/1\.1 502 /);
    assert.match(received, /protocol_not_supported/);
    assert.equal(opened.length, 0);
    assert.equal(exchange.upstream.streams.length, 0);
  });

  for (const guest of ["h2", "http/1.1"] as const) {
    test(`that never states whether it takes one is given up, for a guest that speaks ${guest}`, async (t) => {
      const { exchange } = await start(t, { ...toHttp2, guest, isSilent: true });
      if (guest === "h2") {
        const result = await resultOf(await openOn(exchange.session));
        assert.equal(result.status, 504);
        assert.equal(JSON.parse(result.body.toString()).code, "timed_out");
      } else {
        const received = await exchange.send(request.replace("Upgrade\r\n", "Upgrade, close\r\n"));
        assert.match(received, /^HTTP\/1\.1 504 /);
      }
    });
  }
});
