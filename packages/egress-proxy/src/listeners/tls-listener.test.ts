import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { after, before, describe, test } from "node:test";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import type { Refusal } from "../audit/audit-refusal.ts";
import { createLeafKey } from "../certificates/leaf-certificate.ts";
import { createLeafContexts } from "../certificates/leaf-contexts.ts";
import { BlockScanner } from "../redaction/block-scanner.ts";
import { createSessions } from "../sessions/sessions.ts";
import { createTestAuthority } from "../testing/certificates.ts";
import { isProbed } from "../testing/is-probed.ts";
import { createTestLog, otherSandboxId, testSandboxId, testSession } from "../testing/sessions.ts";
import { type FairTurns, workUnits } from "../turns/fair-turns.ts";
import { UpstreamProtocols } from "../upstream/upstream-protocols.ts";
import { admitGuest } from "./admit-guest.ts";
import { createConnectionTable } from "./connection-table.ts";
import type { GuestConnection, ServeConnection } from "./guest-connection.ts";
import { createGuestTlsByPort } from "./guest-tls-by-port.ts";
import { close, listen } from "./listen.ts";
import { createTlsListener } from "./tls-listener.ts";

const guestAddress = "127.0.1.7";
const connectionsMax = 3;

describe("createTlsListener", async () => {
  const authority = await createTestAuthority();
  const contexts = createLeafContexts({
    leafKey: await createLeafKey(),
    contextsMax: 10,
    now: () => new Date(),
  });
  const connections = createConnectionTable({
    limits: { servedMax: connectionsMax, refusedMax: 1 },
    now: () => performance.now(),
  });
  const sessions = createSessions({
    scanner: new BlockScanner(),
    onAddressReleased: connections.destroyAllOf,
    onPolicyEnded: () => undefined,
    onAddressTaken: () => undefined,
  });
  const refusals: Refusal[] = [];
  let takeTurn: FairTurns["take"] = () => undefined;
  const protocols = new UpstreamProtocols();
  const served: GuestConnection[] = [];
  const { findPolicy } = sessions;
  const auditRefusal = (refusal: Refusal) => void refusals.push(refusal);
  const listener = createTlsListener({
    admitGuest: (socket) =>
      admitGuest({ kind: "https", findPolicy, connections, auditRefusal }, socket),
    tlsFor: createGuestTlsByPort({
      contexts,
      serveConnection: createEchoServe(served),
      protocols,
      turns: { take: (sandboxId, work) => takeTurn(sandboxId, work) },
      auditRefusal,
      log: createTestLog(),
    }),
    log: createTestLog(),
  });
  let port = 0;

  before(async () => {
    await listen(listener, { host: "127.0.0.1", port: 0 });
    const address = listener.address();
    port = typeof address === "object" && address !== null ? address.port : 0;
    sessions.put(testSession({ sourceAddress: guestAddress }));
  });
  after(async () => {
    connections.destroyAll();
    await close(listener);
  });

  function open(options: ConnectionOptions, localAddress = guestAddress): TLSSocket {
    const socket = connectTcp({ host: "127.0.0.1", port, localAddress });
    socket.on("error", () => socket.destroy());
    const secured = connectTls({ socket, ca: authority.certificatePem, ...options });
    secured.on("error", () => secured.destroy());
    return secured;
  }

  async function outcome(socket: TLSSocket): Promise<string> {
    return await new Promise((resolve) => {
      socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
      socket.on("close", () => resolve("closed"));
      socket.on("secureConnect", () => resolve("connected"));
    });
  }

  async function refusalAfter(act: () => Promise<unknown>): Promise<Refusal | undefined> {
    refusals.length = 0;
    await act();
    for (let turn = 0; turn < 200 && refusals.length === 0; turn += 1) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return refusals[0];
  }

  async function allClosed(): Promise<void> {
    while (connections.count > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  test("refuses a handshake before a CA is set, and audits the reason", async () => {
    const refusal = await refusalAfter(() => outcome(open({ servername: "api.example.com" })));
    assert.equal(refusal?.reason, "the proxy has not been given its CA yet");
    assert.equal(refusal?.host, "api.example.com");
    assert.equal(refusal?.sandboxId, testSandboxId);
    await contexts.setAuthority(authority);
    await allClosed();
  });

  test("a handshake waits for a turn of its sandbox, and one that needs a certificate takes more of it", async () => {
    const host = "turns.example.com";
    const taken: unknown[] = [];
    let begin: () => void = () => undefined;
    const asked = new Promise<void>((resolve) => {
      takeTurn = (...work) => {
        taken.push(work);
        resolve();
        return new Promise((turn) => {
          begin = turn;
        });
      };
    });
    const first = open({ servername: host });
    const connected = outcome(first);
    await asked;
    assert.equal(contexts.has(host), false);
    begin();
    assert.equal(await connected, "connected");
    assert.equal(contexts.has(host), true);
    takeTurn = (...work) => void taken.push(work);
    const second = open({ servername: host });
    assert.equal(await outcome(second), "connected");
    assert.deepEqual(taken, [
      [testSandboxId, workUnits.certificate],
      [testSandboxId, workUnits.handshake],
    ]);
    const left = new Promise<void>((resolve) => {
      takeTurn = () => {
        resolve();
        return new Promise((turn) => {
          begin = turn;
        });
      };
    });
    const third = open({ servername: host });
    await left;
    const refusal = await refusalAfter(async () => third.destroy());
    begin();
    assert.equal(refusal?.reason, "the client closed the connection during the handshake");
    takeTurn = () => undefined;
    for (const socket of [first, second]) socket.destroy();
    await allClosed();
  });

  test("agrees on the version of HTTP that the upstream speaks, as far as it is known", async () => {
    protocols.learn("one.example.com", "http/1.1");
    protocols.learn("two.example.com", "h2");
    const agreedOn = async (servername: string, ALPNProtocols: string[]) => {
      const socket = open({ servername, ALPNProtocols });
      await once(socket, "secureConnect");
      socket.destroy();
      return socket.alpnProtocol;
    };
    const both = ["http/1.1", "h2"];
    assert.equal(await agreedOn("one.example.com", both), "http/1.1");
    assert.equal(await agreedOn("one.example.com", ["h2"]), "h2");
    assert.equal(await agreedOn("two.example.com", both), "h2");
    assert.equal(await agreedOn("new.example.com", both), "h2");
    assert.equal(await agreedOn("new.example.com", ["http/1.1"]), "http/1.1");
  });

  test("presents a certificate for the host that the guest names and passes the connection on", async () => {
    const socket = open({ servername: "API.example.com", ALPNProtocols: ["http/1.1"] });
    await once(socket, "secureConnect");
    assert.equal(socket.authorized, true);
    assert.equal(socket.alpnProtocol, "http/1.1");
    assert.equal(socket.getPeerCertificate().subjectaltname, "DNS:api.example.com");
    socket.write("x");
    const [response] = await once(socket, "data");
    assert.deepEqual(JSON.parse(String(response)), {
      scheme: "https",
      port: 443,
      sourceAddress: guestAddress,
      serverName: "api.example.com",
    });
    socket.destroy();
    await allClosed();
  });

  test("probes a guest that is silent", async () => {
    const socket = open({ servername: "api.example.com" });
    await once(socket, "secureConnect");
    const { localPort: remotePort, remotePort: localPort } = socket;
    assert.equal(isProbed({ localPort, remotePort }), true);
    socket.destroy();
    await allClosed();
  });

  test("a resumed session is identified by its source address and names its host", async () => {
    const first = open({ servername: "api.example.com" });
    const [session] = await once(first, "session");
    first.destroy();
    const second = open({ servername: "api.example.com", session });
    await once(second, "secureConnect");
    assert.equal(second.isSessionReused(), true);
    second.write("x");
    const [response] = await once(second, "data");
    assert.match(String(response), /"serverName":"api\.example\.com"/);
    second.destroy();
    await allClosed();
  });

  test("a session of TLS 1.2 is not resumed under another name", async () => {
    const first = open({ servername: "api.example.com", maxVersion: "TLSv1.2" });
    await once(first, "secureConnect");
    const session = first.getSession();
    assert.ok(session !== undefined);
    first.destroy();
    await allClosed();
    served.length = 0;
    const second = open({ servername: "other.example.com", maxVersion: "TLSv1.2", session });
    await once(second, "secureConnect");
    assert.equal(second.isSessionReused(), false);
    assert.equal(second.getPeerCertificate().subjectaltname, "DNS:other.example.com");
    second.destroy();
    await allClosed();
    assert.deepEqual(
      served.map(({ serverName }) => serverName),
      ["other.example.com"],
    );
  });

  const refused: { name: string; options: ConnectionOptions; reason: RegExp }[] = [
    { name: "no server name", options: { servername: "" }, reason: /named no server \(SNI\)/ },
    {
      name: "an invalid server name",
      options: { servername: "a..b" },
      reason: /is no host name/,
    },
    {
      name: "another protocol alone",
      options: { servername: "api.example.com", ALPNProtocols: ["http/1.0"] },
      reason: /offers neither HTTP\/2 nor HTTP\/1\.1/,
    },
    {
      name: "TLS 1.1",
      options: {
        servername: "api.example.com",
        minVersion: "TLSv1",
        maxVersion: "TLSv1.1",
        ciphers: "DEFAULT@SECLEVEL=0",
      },
      reason: /no version of TLS from 1\.2 upwards/,
    },
  ];
  for (const { name, options, reason } of refused) {
    test(`refuses ${name}, with an audit line`, async () => {
      served.length = 0;
      const refusal = await refusalAfter(() => outcome(open(options)));
      assert.equal(refusal?.kind, "tls");
      assert.equal(refusal?.sandboxId, testSandboxId);
      assert.match(refusal?.reason ?? "", reason);
      assert.deepEqual(served, []);
      await allClosed();
    });
  }

  test("plain HTTP sent to the TLS port is refused", async () => {
    const refusal = await refusalAfter(async () => {
      const socket = connectTcp({ host: "127.0.0.1", port, localAddress: guestAddress });
      socket.on("error", () => socket.destroy());
      socket.end("GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n");
      await once(socket.resume(), "close");
    });
    assert.equal(refusal?.reason, "the client sent plain HTTP to the TLS port");
    await allClosed();
  });

  test("an address without a session is reset before the handshake", async () => {
    const refusal = await refusalAfter(async () => {
      assert.notEqual(await outcome(open({ servername: "a.test" }, "127.0.1.8")), "connected");
    });
    assert.equal(refusal?.reason, "no sandbox has this source address");
    assert.equal(refusal?.sandboxId, null);
    assert.equal(connections.count, 0);
  });

  test("one connection too many is passed on as refused, the next is reset, and one that ends makes room", async () => {
    served.length = 0;
    const held: Socket[] = [];
    for (let index = 0; index <= connectionsMax; index += 1) {
      const socket = open({ servername: "api.example.com" });
      await once(socket, "secureConnect");
      held.push(socket);
    }
    while (served.length <= connectionsMax) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual(
      served.map(({ admission }) => admission.isRefused),
      [false, false, false, true],
    );
    const refusal = await refusalAfter(async () => {
      assert.notEqual(await outcome(open({ servername: "api.example.com" })), "connected");
    });
    assert.equal(refusal?.reason, "the sandbox holds too many connections");
    for (const socket of held) socket.destroy();
    await allClosed();
    const next = open({ servername: "api.example.com" });
    assert.equal(await outcome(next), "connected");
    next.destroy();
    await allClosed();
  });

  test("a handshake that another sandbox's session ends is audited as its own sandbox's", async () => {
    const raw = connectTcp({ host: "127.0.0.1", port, localAddress: guestAddress });
    raw.on("error", () => raw.destroy());
    await once(raw, "connect");
    while (connections.count === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const refusal = await refusalAfter(async () => {
      sessions.put(testSession({ sandboxId: otherSandboxId, sourceAddress: guestAddress }));
      await once(raw.resume(), "close");
    });
    assert.equal(refusal?.sandboxId, testSandboxId);
    sessions.put(testSession({ sourceAddress: guestAddress }));
    await allClosed();
  });

  test("the end of a session ends its connections", async () => {
    const socket = open({ servername: "api.example.com" });
    await once(socket, "secureConnect");
    const closed = once(socket, "close");
    sessions.remove(testSandboxId);
    await closed;
    await allClosed();
    assert.equal(connections.count, 0);
  });
});

/** A stand-in for the data path: responds to each chunk with what the listener passed on of its connection. */
function createEchoServe(served: GuestConnection[] = []): ServeConnection {
  return (connection) => {
    const { socket, scheme, port, sourceAddress, serverName } = connection;
    served.push(connection);
    socket.on("data", () => {
      socket.write(`${JSON.stringify({ scheme, port, sourceAddress, serverName })}\n`);
    });
    socket.on("end", () => socket.end());
    return new Promise((resolve) => socket.once("close", () => resolve()));
  };
}
