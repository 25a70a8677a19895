import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { createServer, type Server, type TLSSocket } from "node:tls";
import {
  addresses,
  anywhere,
  type EgressProxyScenario,
  startEgressProxyScenario,
} from "./testing/egress-proxy-scenario.ts";
import {
  clientFloods,
  floodsOn,
  floodUntilClosed,
  serverFloodsOn,
} from "./testing/http2-floods.ts";
import {
  connectionPreface,
  type FieldList,
  headersFrame,
  readFrames,
  settingsFrame,
} from "./testing/http2-frames.ts";
import { otherSandboxId } from "./testing/sessions.ts";

const mebibyte = 1024 * 1024;
/** More than the proxy may take before it closes a connection: it checks once a second. */
const floodBytesMax = 256 * mebibyte;
const growthBytesMax = 64 * mebibyte;
const firstStream = 1;
const upstreamHost = "flood.example.com";

const request: FieldList = [
  [":method", "POST"],
  [":scheme", "https"],
  [":authority", upstreamHost],
  [":path", "/"],
];

describe("egress proxy, floods of HTTP/2 frames", () => {
  let scenario: EgressProxyScenario;
  let upstream: Server;
  /** Is given the upstream's connection once it has a request. */
  let serveRequest: (socket: TLSSocket) => void = () => undefined;
  const sockets = new Set<TLSSocket>();

  const serve = (socket: TLSSocket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.write(settingsFrame([]));
    let received = Buffer.alloc(0);
    const read = (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      const frames = readFrames(received.subarray(connectionPreface.length));
      if (!frames.some(({ stream }) => stream === firstStream)) return;
      socket.off("data", read);
      socket.resume();
      serveRequest(socket);
    };
    socket.on("data", read);
  };

  before(async () => {
    scenario = await startEgressProxyScenario();
    const certificate = await scenario.internet.issue({ hosts: [upstreamHost] });
    upstream = createServer({ ...certificate, ALPNProtocols: ["h2"] }, serve);
    upstream.listen(0, "127.0.0.1");
    await once(upstream, "listening");
    scenario.mapHost(upstreamHost, (upstream.address() as AddressInfo).port);
    await scenario.startProxy();
    await scenario.giveAuthority();
    await scenario.giveSession();
    await scenario.giveSession({
      sandboxId: otherSandboxId,
      sourceAddress: addresses.neighbour,
    });
  });
  after(async () => {
    for (const socket of sockets) socket.destroy();
    upstream.close();
    await scenario.stop();
  });

  const openGuest = async () => {
    const socket = scenario.openTls(upstreamHost, ["h2"]);
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    await once(socket, "secureConnect");
    return socket;
  };

  /** Runs the flood, and asserts that it disturbs nobody else, and takes no memory. */
  const assertContained = async (run: () => Promise<void>) => {
    const { proxy } = scenario;
    const before = proxy.residentBytes();
    let peak = before;
    const sampling = setInterval(() => {
      peak = Math.max(peak, proxy.residentBytes());
    }, 20);
    try {
      const [neighbour] = await Promise.all([
        scenario.curlHttps(
          [...["--http2", "--header", `x-api-key: ${anywhere.token}`], "https://h2.example.com/"],
          { guestAddress: addresses.neighbour },
        ),
        run(),
      ]);
      assert.equal(neighbour.status, 200);
      assert.equal(scenario.upstream.last().headers["x-api-key"], anywhere.value);
    } finally {
      clearInterval(sampling);
    }
    assert.ok(peak - before <= growthBytesMax, `the process grew by ${peak - before} bytes`);
  };

  for (const [name, flood] of [...floodsOn(firstStream), ...clientFloods(request)]) {
    test(`a guest that sends ${name} loses its connection, and no one else's is affected`, async () => {
      serveRequest = () => undefined;
      const socket = await openGuest();
      socket.resume();
      socket.write(
        Buffer.concat([connectionPreface, settingsFrame([]), headersFrame(firstStream, request)]),
      );
      await assertContained(() => floodUntilClosed(socket, flood, floodBytesMax));
    });
  }

  test("a guest that sends PING and reads nothing loses its connection", async () => {
    const flood = floodsOn(firstStream).get("PING");
    assert.ok(flood !== undefined);
    const socket = await openGuest();
    socket.write(Buffer.concat([connectionPreface, settingsFrame([])]));
    await assertContained(() => floodUntilClosed(socket, flood, floodBytesMax));
  });

  for (const [name, flood] of [...floodsOn(firstStream), ...serverFloodsOn(firstStream)]) {
    test(`an upstream that sends ${name} loses its connection, and the guest's request ends`, async () => {
      const flooded = new Promise<void>((resolve, reject) => {
        serveRequest = (from) => {
          floodUntilClosed(from, flood, floodBytesMax).then(resolve, reject);
        };
      });
      const socket = await openGuest();
      const session = http2.connect(`https://${upstreamHost}`, { createConnection: () => socket });
      session.on("error", () => session.destroy());
      const stream = session.request({ ":method": "POST" });
      stream.on("error", () => undefined);
      stream.resume();
      const ended = new Promise((resolve) => stream.once("close", resolve));
      await assertContained(async () => {
        await flooded;
        await ended;
      });
      session.destroy();
    });
  }
});
