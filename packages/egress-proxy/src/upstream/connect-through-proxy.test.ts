import assert from "node:assert/strict";
import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { createSecureContext, createServer as createTlsServer } from "node:tls";
import { upstreamProxySchema } from "@opencomputer/protocol/wire";
import { close, listen } from "../listeners/listen.ts";
import { createTestAuthority } from "../testing/certificates.ts";
import { type ConnectProxy, startConnectProxy } from "../testing/connect-proxy.ts";
import { connectThroughProxy } from "./connect.ts";
import { type Destination, DialError } from "./destination.ts";
import { createSessionCache } from "./session-cache.ts";

const password = "canary p@ss:word/3k";
const credentials = `user:${encodeURIComponent(password)}`;
const authorization = `Basic ${Buffer.from(`user:${password}`).toString("base64")}`;

describe("connectThroughProxy", async () => {
  const authority = await createTestAuthority();
  const certificate = await authority.issue({ hosts: ["good.test"] });
  const tlsServer = createTlsServer({ ...certificate, ALPNProtocols: ["http/1.1"] }, greet);
  const plainServer = createTcpServer(greet);
  const silentServer = createTcpServer((socket) => sockets.add(socket.resume()));
  const servers = [tlsServer, plainServer, silentServer];
  const sockets = new Set<Socket>();
  const deps = {
    secureContext: createSecureContext({ ca: authority.certificatePem }),
    sessions: createSessionCache(),
  };
  let proxy: ConnectProxy;
  let silentPort = 0;

  function greet(socket: Socket): void {
    sockets.add(socket);
    socket.on("error", () => socket.destroy()).end("hello");
  }

  before(async () => {
    const tls = await portOf(tlsServer);
    const plain = await portOf(plainServer);
    silentPort = await portOf(silentServer);
    proxy = await startConnectProxy({
      authorization,
      ports: new Map([
        ["good.test:443", tls],
        ["wrong-name.test:443", tls],
        ["plain.test:80", plain],
        ["[2606:4700::1]:80", plain],
        ["silent.test:443", silentPort],
      ]),
      statuses: new Map([
        ["forbidden.test:443", 403],
        ["slow.test:443", 504],
        ["odd.test:443", 302],
      ]),
    });
  });
  after(async () => {
    for (const socket of sockets) socket.destroy();
    await Promise.all([proxy.close(), ...servers.map(close)]);
  });

  function connectTo(
    destination: Destination,
    options: { url?: string; signal?: AbortSignal; milliseconds?: number } = {},
  ): Promise<Socket> {
    return connectThroughProxy(deps, {
      destination,
      proxy: upstreamProxySchema.parse(
        options.url ?? `http://${credentials}@127.0.0.1:${proxy.port}`,
      ),
      port: destination.scheme === "https" ? 443 : 80,
      timeoutMilliseconds: options.milliseconds ?? 5_000,
      signal: options.signal ?? new AbortController().signal,
      protocols: ["http/1.1"],
    });
  }

  async function failure(connecting: Promise<Socket>): Promise<DialError> {
    const error = await connecting.then(
      () => assert.fail("expected the connection to fail"),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof DialError, String(error));
    assert.doesNotMatch(`${error.message}${error.cause}`, /canary|127\.0\.0\.1|[Cc]ompany/);
    return error;
  }

  async function read(socket: Socket): Promise<string> {
    let text = "";
    for await (const chunk of socket.setEncoding("utf8")) text += chunk;
    return text;
  }

  test("https: TLS is with the host, and the proxy gets name and credentials", async () => {
    const socket = await connectTo({ scheme: "https", host: "good.test" });
    assert.equal(await read(socket), "hello");
    assert.deepEqual(proxy.asked.at(-1), { authority: "good.test:443", authorization });
  });

  test("http: CONNECT to port 80, to names and to addresses", async () => {
    assert.equal(await read(await connectTo({ scheme: "http", host: "plain.test" })), "hello");
    assert.equal(await read(await connectTo({ scheme: "http", host: "2606:4700::1" })), "hello");
  });

  test("https: a certificate of another name is refused, though the proxy connected", async () => {
    const error = await failure(connectTo({ scheme: "https", host: "wrong-name.test" }));
    assert.equal(error.failure, "certificate_invalid");
  });

  test("wrong or absent credentials are reported, without them", async () => {
    for (const login of ["", "user:canary@", "user@"]) {
      const url = `http://${login}127.0.0.1:${proxy.port}`;
      const error = await failure(connectTo({ scheme: "https", host: "good.test" }, { url }));
      assert.equal(error.status, 502);
      assert.match(error.message, /407.*OPENCOMPUTER_EGRESS_UPSTREAM_PROXY/);
    }
  });

  const statuses: [string, number, RegExp][] = [
    ["forbidden.test", 403, /does not allow connections to forbidden\.test \(403\)/],
    ["absent.test", 502, /could not connect to absent\.test \(502\)/],
    ["slow.test", 504, /did not reach slow\.test in time \(504\)/],
    ["odd.test", 502, /CONNECT odd\.test with status 302, expected 200/],
  ];
  for (const [host, status, message] of statuses) {
    test(`the proxy's response to ${host} is reported as a ${status}`, async () => {
      const error = await failure(connectTo({ scheme: "https", host }));
      assert.equal(error.status, status);
      assert.match(error.message, message);
    });
  }

  test("a proxy that cannot be reached, speaks no HTTP or closes is reported", async () => {
    const noise = createTcpServer((socket) => {
      socket.resume().on("error", () => socket.destroy());
      socket.end("SSH-2.0-x\r\n");
    });
    const closing = createTcpServer((socket) => socket.destroy());
    const cases: [number, RegExp][] = [
      [1, /cannot be reached \(ECONNREFUSED\)/],
      [await portOf(noise), /did not respond with HTTP \(HPE_/],
      [await portOf(closing), /closed the connection before it reached good\.test/],
    ];
    for (const [port, message] of cases) {
      const url = `http://127.0.0.1:${port}`;
      const error = await failure(connectTo({ scheme: "https", host: "good.test" }, { url }));
      assert.equal(error.failure, "connection_failed");
      assert.match(error.message, message);
    }
    await Promise.all([noise, closing].map(close));
  });

  test("gives up on a silent proxy and on a silent host behind it, and closes the tunnel", async () => {
    const silentProxy = `http://127.0.0.1:${silentPort}`;
    const host = "silent.test";
    const atProxy = connectTo({ scheme: "https", host }, { url: silentProxy, milliseconds: 50 });
    assert.equal((await failure(atProxy)).failure, "timed_out");
    const behind = connectTo({ scheme: "https", host }, { milliseconds: 200 });
    assert.equal((await failure(behind)).failure, "timed_out");
    await untilClosed();
  });

  test("stops when the signal aborts, before and during", async () => {
    const destination: Destination = { scheme: "https", host: "silent.test" };
    const early = await failure(connectTo(destination, { signal: AbortSignal.abort() }));
    const during = new AbortController();
    const connecting = connectTo(destination, { signal: during.signal });
    setTimeout(() => during.abort(), 50);
    for (const error of [early, await failure(connecting)]) {
      assert.match(error.message, /abandoned/);
    }
    await untilClosed();
  });

  async function untilClosed(): Promise<void> {
    while (proxy.open.size > 0) await delay(5);
  }

  async function portOf(server: Server): Promise<number> {
    await listen(server, { host: "127.0.0.1", port: 0 });
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    return address.port;
  }
});
