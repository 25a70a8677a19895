import assert from "node:assert/strict";
import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { createSecureContext, createServer as createTlsServer, type TLSSocket } from "node:tls";
import { createAddressJudge } from "@opencomputer/process";
import { close, listen } from "../listeners/listen.ts";
import { createTestAuthority } from "../testing/certificates.ts";
import { isProbed } from "../testing/is-probed.ts";
import { createUpstreamProxyUse } from "./choose-route.ts";
import { type ConnectAttempt, connect, type TunnelAttempt } from "./connect.ts";
import { type Destination, DialError, type DialFailure } from "./destination.ts";
import { type DialDependencies, dial } from "./dial.ts";
import { createOperatorHosts } from "./operator-hosts.ts";
import { createSessionCache } from "./session-cache.ts";
import type { Protocol } from "./upstream-protocols.ts";

const day = 24 * 3600 * 1000;

describe("dial", async () => {
  const authority = await createTestAuthority();
  const stranger = await createTestAuthority({ name: "Unknown CA" });
  const selfSigned = await createTestAuthority({ isAuthority: false });
  const certificates = new Map([
    ["good.test", await authority.issue({ hosts: ["good.test"] })],
    ["wrong-name.test", await authority.issue({ hosts: ["other.test"] })],
    ["unknown-ca.test", await stranger.issue({ hosts: ["unknown-ca.test"] })],
    [
      "expired.test",
      await authority.issue({ hosts: ["expired.test"], notAfter: new Date(Date.now() - day) }),
    ],
    ["self-signed.test", { cert: selfSigned.certificatePem, key: selfSigned.privateKeyPem }],
  ]);
  const serverNames: string[] = [];
  const upstreams = new Set<Socket>();
  const tlsServer = createTlsServer(
    {
      ALPNProtocols: ["http/1.1"],
      SNICallback: (serverName, callback) => {
        serverNames.push(serverName);
        callback(null, createSecureContext(certificates.get(serverName) ?? {}));
      },
    },
    (socket) => greet(socket),
  );
  const plainServer = createTcpServer(greet);
  const silentServer = createTcpServer((socket) => keep(socket));
  const closingServer = createTcpServer((socket) => socket.destroy());

  function keep(socket: Socket): void {
    upstreams.add(socket);
    socket.on("error", () => socket.destroy());
  }
  function greet(socket: Socket): void {
    keep(socket);
    socket.end("hello");
  }
  async function portOf(server: Server): Promise<number> {
    await listen(server, { host: "127.0.0.1", port: 0 });
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    return address.port;
  }

  let ports = { tls: 0, plain: 0, silent: 0, closing: 0 };
  before(async () => {
    ports = {
      tls: await portOf(tlsServer),
      plain: await portOf(plainServer),
      silent: await portOf(silentServer),
      closing: await portOf(closingServer),
    };
  });
  after(async () => {
    for (const socket of upstreams) socket.destroy();
    await Promise.all([tlsServer, plainServer, silentServer, closingServer].map(close));
  });

  const sessionCache = createSessionCache();
  const secureContext = createSecureContext({ ca: authority.certificatePem });
  function dialHost(
    destination: Destination,
    options: {
      port?: number;
      addresses?: string[];
      signal?: AbortSignal;
      seconds?: number;
      protocols?: readonly Protocol[];
    } = {},
  ) {
    const egressHosts = (options.port === undefined ? [] : [options.port]).map((port) => ({
      host: destination.host,
      guestPort: null,
      address: "127.0.0.1",
      port,
    }));
    const deps = {
      operatorHosts: createOperatorHosts(egressHosts),
      resolveHost: async () => options.addresses ?? [],
      judgeAddress: createAddressJudge([]),
      isOwnAddress: () => false,
      upstreamProxy: undefined,
      connect: (attempt: ConnectAttempt) =>
        connect({ secureContext, sessions: sessionCache }, attempt),
      connectThroughProxy: unexpectedTunnel,
      timeoutMilliseconds: (options.seconds ?? 5) * 1000,
      now: Date.now,
    };
    return dial(deps, destination, options.signal ?? new AbortController().signal, [
      ...(options.protocols ?? ["http/1.1" as const]),
    ]);
  }

  async function failure(dialled: Promise<unknown>): Promise<DialError> {
    const error = await dialled.then(
      () => assert.fail("expected the dial to fail"),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof DialError);
    return error;
  }

  async function read(socket: { setEncoding(encoding: "utf8"): unknown } & AsyncIterable<string>) {
    socket.setEncoding("utf8");
    let text = "";
    for await (const chunk of socket) text += chunk;
    return text;
  }

  test("https: verifies the certificate against the host, which is the server name", async () => {
    serverNames.length = 0;
    const socket = await dialHost({ scheme: "https", host: "good.test" }, { port: ports.tls });
    assert.equal(await read(socket), "hello");
    assert.deepEqual(serverNames, ["good.test"]);
  });

  test("https: a second connection resumes the session, and one to another host does not", async () => {
    const reused = async (host: string) => {
      const socket = await dialHost({ scheme: "https", host }, { port: ports.tls });
      const { isSessionReused } = socket as TLSSocket;
      const result = isSessionReused.call(socket);
      await read(socket);
      return result;
    };
    await reused("good.test");
    assert.equal(await reused("good.test"), true);
    const wrong = await failure(
      dialHost({ scheme: "https", host: "wrong-name.test" }, { port: ports.tls }),
    );
    assert.equal(wrong.failure, "certificate_invalid");
  });

  for (const [scheme, port] of [
    ["https", () => ports.tls],
    ["http", () => ports.plain],
  ] as const) {
    test(`${scheme}: probes an upstream that is silent`, async () => {
      const socket = await dialHost({ scheme, host: "good.test" }, { port: port() });
      assert.equal(isProbed(socket as Socket), true);
      socket.destroy();
    });
  }

  test("http: dials without TLS", async () => {
    const socket = await dialHost({ scheme: "http", host: "plain.test" }, { port: ports.plain });
    assert.equal(await read(socket), "hello");
  });

  const untrusted: [string, RegExp][] = [
    ["wrong-name.test", /it is for another name/],
    ["unknown-ca.test", /CA that the proxy does not know; .*OPENCOMPUTER_EGRESS_CA_FILE/],
    ["expired.test", /it has expired/],
    ["self-signed.test", /it is self-signed/],
  ];
  for (const [host, reason] of untrusted) {
    test(`https: refuses ${host} with a reason`, async () => {
      const error = await failure(dialHost({ scheme: "https", host }, { port: ports.tls }));
      assert.equal(error.failure, "certificate_invalid");
      assert.equal(error.status, 502);
      assert.match(error.message, reason);
    });
  }

  const unreachable: [string, Destination, keyof typeof ports | "none", DialFailure, RegExp][] = [
    [
      "plain text on the TLS port",
      { scheme: "https", host: "x.test" },
      "plain",
      "connection_failed",
      /failed/,
    ],
    [
      "a close during the handshake",
      { scheme: "https", host: "x.test" },
      "closing",
      "connection_failed",
      /x\.test/,
    ],
    [
      "nobody listening",
      { scheme: "http", host: "x.test" },
      "none",
      "connection_failed",
      /refuses connections on port 1$/,
    ],
  ];
  for (const [name, destination, server, expected, message] of unreachable) {
    test(`reports ${name}`, async () => {
      const port = server === "none" ? 1 : ports[server];
      const error = await failure(dialHost(destination, { port }));
      assert.equal(error.failure, expected);
      assert.match(error.message, message);
    });
  }

  test("gives up on an upstream that never finishes its handshake", async () => {
    const destination: Destination = { scheme: "https", host: "x.test" };
    const error = await failure(dialHost(destination, { port: ports.silent, seconds: 0.05 }));
    assert.equal(error.failure, "timed_out");
    assert.equal(error.status, 504);
  });

  test("stops when the signal aborts, before and during", async () => {
    const destination: Destination = { scheme: "https", host: "x.test" };
    const early = await failure(
      dialHost(destination, { port: ports.silent, signal: AbortSignal.abort() }),
    );
    const during = new AbortController();
    const dialled = dialHost(destination, { port: ports.silent, signal: during.signal });
    setTimeout(() => during.abort(), 10);
    for (const error of [early, await failure(dialled)]) {
      assert.equal(error.failure, "connection_failed");
    }
  });

  test("refuses private addresses that no operator setting opens", async () => {
    const destination: Destination = { scheme: "http", host: "rebind.test" };
    const error = await failure(dialHost(destination, { addresses: ["127.0.0.1", "::1"] }));
    assert.equal(error.failure, "address_refused");
  });
});

test("dial tries the next address when one fails, in order, and each as it was checked", async () => {
  const tried: string[] = [];
  const deps: DialDependencies = {
    operatorHosts: createOperatorHosts([]),
    resolveHost: async () => ["10.0.0.1", "1.1.1.1", "2606:4700::1", "8.8.8.8"],
    judgeAddress: createAddressJudge([]),
    isOwnAddress: () => false,
    upstreamProxy: undefined,
    connectThroughProxy: unexpectedTunnel,
    connect: async ({ target }) => {
      tried.push(target.address);
      throw new DialError("connection_failed", `no ${target.address}`);
    },
    timeoutMilliseconds: 1000,
    now: Date.now,
  };
  await assert.rejects(
    dial(deps, { scheme: "https", host: "many.test" }, new AbortController().signal, ["http/1.1"]),
    /no 8\.8\.8\.8/,
  );
  assert.deepEqual(tried, ["1.1.1.1", "2606:4700::1", "8.8.8.8"]);
});

test("dial goes through the operator's proxy in the time that choosing the route left, once", async () => {
  const attempts: TunnelAttempt[] = [];
  let now = 0;
  const upstream = { host: "proxy.test", port: 3128, authorization: null };
  const deps: DialDependencies = {
    operatorHosts: createOperatorHosts([]),
    resolveHost: async () => {
      now += 300;
      return ["1.1.1.1", "8.8.8.8"];
    },
    judgeAddress: createAddressJudge([]),
    isOwnAddress: () => false,
    upstreamProxy: createUpstreamProxyUse(upstream, { hostPatterns: [], ranges: [] }),
    connect: () => assert.fail("expected no direct connection"),
    connectThroughProxy: async (attempt) => {
      attempts.push(attempt);
      throw new DialError("connection_failed", "no tunnel");
    },
    timeoutMilliseconds: 1000,
    now: () => now,
  };
  const { signal } = new AbortController();
  const destination: Destination = { scheme: "https", host: "many.test" };
  await assert.rejects(dial(deps, destination, signal, ["http/1.1"]), /no tunnel/);
  assert.deepEqual(attempts, [
    {
      destination,
      proxy: upstream,
      port: 443,
      timeoutMilliseconds: 700,
      signal,
      protocols: ["http/1.1"],
    },
  ]);
});

function unexpectedTunnel(): never {
  assert.fail("expected no tunnel");
}
