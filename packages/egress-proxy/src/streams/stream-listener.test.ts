import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { after, before, beforeEach, describe, test } from "node:test";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import type { AuditLine } from "@opencomputer/protocol/wire";
import type { Refusal } from "../audit/audit-refusal.ts";
import type { ExchangeDetail } from "../audit/audit-writer.ts";
import { admitGuest } from "../listeners/admit-guest.ts";
import { createConnectionTable } from "../listeners/connection-table.ts";
import { close, listen } from "../listeners/listen.ts";
import { BlockScanner } from "../redaction/block-scanner.ts";
import { GivenNames } from "../resolver/given-names.ts";
import { createSessions } from "../sessions/sessions.ts";
import { createTestAuthority } from "../testing/certificates.ts";
import { createTestLog, testSandboxId, testSession } from "../testing/sessions.ts";
import { type Destination, DialError } from "../upstream/destination.ts";
import { createStreamListener } from "./stream-listener.ts";

const guestAddress = "127.0.2.7";
/** What the packet filter leaves as the address of a connection: the one that the guest chose. */
const dialledAddress = "127.0.2.1";

describe("createStreamListener", async () => {
  const authority = await createTestAuthority();
  const leaf = await authority.issue({ hosts: ["api.test"] });
  const connections = createConnectionTable({
    limits: { servedMax: 4, refusedMax: 1 },
    now: () => performance.now(),
  });
  const sessions = createSessions({
    scanner: new BlockScanner(),
    onAddressReleased: connections.destroyAllOf,
    onPolicyEnded: () => undefined,
    onAddressTaken: () => assert.fail("no address changes its owner here"),
  });
  const { findPolicy } = sessions;
  const refusals: Refusal[] = [];
  const lines: AuditLine[] = [];
  const details: ExchangeDetail[] = [];
  const dialled: Destination[] = [];
  let isAuditTrailWritable = true;
  let serveUpstream: (socket: Socket) => void = (socket) => void socket.pipe(socket);
  const upstream = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    serveUpstream(socket);
  });
  const tls = createTlsServer(leaf, (socket) => socket.end(`TLS at ${socket.localPort}`));
  const givenNames = new GivenNames();
  const auditRefusal = (refusal: Refusal) => void refusals.push(refusal);
  const listener = createStreamListener({
    admitGuest: (socket) =>
      admitGuest({ kind: "tcp", findPolicy, connections, auditRefusal }, socket),
    tlsFor: () => ({ accept: (socket) => void tls.emit("connection", socket) }),
    givenNames,
    resolveHost: async () => [],
    dial: async (destination) => {
      dialled.push(destination);
      if (destination.host.startsWith("private")) {
        throw new DialError("address_refused", "private.test is not on the public internet");
      }
      if (destination.host.startsWith("closed")) {
        throw new DialError("connection_failed", "closed.test refused the connection");
      }
      const socket = connect((upstream.address() as AddressInfo).port, "127.0.0.1");
      socket.on("error", () => socket.destroy());
      await once(socket, "connect");
      return socket;
    },
    findPolicy,
    isAuditTrailWritable: () => isAuditTrailWritable,
    writeAudit(line, detail = {}) {
      lines.push(line);
      details.push(detail);
    },
    auditRefusal,
    now: Date.now,
    log: createTestLog(),
  });
  let port = 0;
  let version = 0;

  const allow = (...egressAllowlist: string[]) => {
    version += 1;
    sessions.put(testSession({ version, sourceAddress: guestAddress, egressAllowlist }));
  };
  const open = () =>
    connect({ port, host: dialledAddress, localAddress: guestAddress, allowHalfOpen: true });
  const given = (name: string) => givenNames.record(testSandboxId, name, [dialledAddress]);
  const failureOf = async (socket: Socket) => {
    const [error] = await once(socket, "error");
    return (error as NodeJS.ErrnoException).code;
  };

  before(async () => {
    await listen(listener, { host: dialledAddress, port: 0 });
    await listen(upstream, { host: "127.0.0.1", port: 0 });
    port = (listener.address() as AddressInfo).port;
  });
  beforeEach(async () => {
    while (connections.count > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    refusals.length = 0;
    lines.length = 0;
    details.length = 0;
    dialled.length = 0;
    allow(...["db", "private", "closed"].map((name) => `tcp://${name}.test:${port}`));
    given("db.test");
  });
  after(async () => {
    connections.destroyAll();
    upstream.close();
    await close(listener);
  });

  test("a stream passes unchanged, ends one side at a time, and is audited once", async () => {
    const received: Buffer[] = [];
    serveUpstream = (socket) => {
      socket.on("data", (chunk) => received.push(chunk));
      // Responds only after the guest's side has ended.
      socket.once("end", () => socket.end(Buffer.alloc(300_000, 7)));
    };
    const guest = open();
    const sent = Buffer.alloc(1_000_000, 3);
    guest.end(sent);
    let bytes = 0;
    guest.on("data", (chunk) => {
      bytes += chunk.length;
    });
    await once(guest, "close");
    assert.equal(bytes, 300_000);
    assert.deepEqual(Buffer.concat(received), sent);
    assert.deepEqual(dialled, [{ scheme: "tcp", host: `db.test:${port}` }]);
    await untilAudited();
    assert.equal(lines.length, 1);
    const [line] = lines;
    assert.equal(line?.kind, "tcp");
    assert.equal(line?.host, `db.test:${port}`);
    assert.equal(line?.decision, "allowed");
    assert.equal(line?.reason, null);
    assert.deepEqual([line?.requestBytes, line?.responseBytes], [1_000_000, 300_000]);
    assert.deepEqual(refusals, []);
  });

  test("an upstream that does not read holds the guest back", async () => {
    let held: Socket | undefined;
    serveUpstream = (socket) => {
      held = socket.pause();
    };
    const guest = open();
    let written = 0;
    const chunk = Buffer.alloc(1024 * 1024);
    const isBlocked = await new Promise<boolean>((resolve) => {
      const write = () => {
        written += 1;
        if (written === 200) {
          resolve(false);
          return;
        }
        const timer = setTimeout(() => resolve(true), 1_000);
        guest.write(chunk, () => {
          clearTimeout(timer);
          write();
        });
      };
      write();
    });
    assert.equal(isBlocked, true);
    guest.destroy();
    held?.destroy();
  });

  test("without an entry for the port it is reset, and the audit line names the entry", async () => {
    allow("db.test");
    assert.equal(await failureOf(open()), "ECONNRESET");
    assert.deepEqual(dialled, []);
    assert.equal(refusals[0]?.kind, "tcp");
    assert.equal(refusals[0]?.host, "db.test");
    assert.match(refusals[0]?.reason ?? "", new RegExp(`tcp://db\\.test:${port} in the egress`));
  });

  test("a private address of an allowed name is refused and audited", async () => {
    given("private.test");
    const guest = open();
    assert.equal(await failureOf(guest), "ECONNRESET");
    assert.equal(refusals[0]?.host, `private.test:${port}`);
    assert.match(refusals[0]?.reason ?? "", /not on the public internet/);
    given("db.test");
  });

  test("an allowed host that cannot be reached is reset, and audited as allowed with the reason", async () => {
    given("closed.test");
    assert.equal(await failureOf(open()), "ECONNRESET");
    await untilAudited();
    assert.deepEqual(refusals, []);
    assert.deepEqual(
      [lines[0]?.host, lines[0]?.decision, lines[0]?.reason, details[0]?.wasSent],
      [`closed.test:${port}`, "allowed", "closed.test refused the connection", false],
    );
    given("db.test");
  });

  test("while the audit trail takes no lines no stream is opened", async () => {
    isAuditTrailWritable = false;
    assert.equal(await failureOf(open()), "ECONNRESET");
    isAuditTrailWritable = true;
    assert.deepEqual(dialled, []);
  });

  test("a policy that does not allow it any more ends a stream, and so does the session's end", async () => {
    serveUpstream = (socket) => void socket.pipe(socket);
    const first = open();
    first.write("a");
    await once(first, "data");
    allow("db.test");
    const failure = failureOf(first);
    first.write("b");
    assert.equal(await failure, "ECONNRESET");
    await untilAudited();
    assert.match(lines[0]?.reason ?? "", /no longer allows the stream/);
    assert.equal(lines[0]?.requestBytes, 1);

    allow(`tcp://db.test:${port}`);
    const second = open();
    second.on("error", () => second.destroy());
    second.on("end", () => second.destroy());
    second.write("a");
    await once(second, "data");
    sessions.remove(testSandboxId);
    await once(second, "close");
  });

  test("connections beyond the sandbox's limit are reset", async () => {
    serveUpstream = (socket) => void socket.pipe(socket);
    const held = Array.from({ length: 4 }, open);
    for (const socket of held) {
      socket.write("a");
      await once(socket, "data");
    }
    assert.equal(await failureOf(open()), "ECONNRESET");
    assert.match(refusals[0]?.reason ?? "", /too many connections/);
    for (const socket of held) socket.destroy();
  });

  test("HTTPS at the port goes to the TLS server of the address", async () => {
    allow(`api.test:${port}`);
    const socket = connectTls({
      socket: open(),
      servername: "api.test",
      ca: authority.certificatePem,
    });
    const [response] = await once(socket, "data");
    assert.equal(String(response), `TLS at ${port}`);
    assert.deepEqual(dialled, []);
    socket.destroy();
  });

  async function untilAudited(): Promise<void> {
    while (lines.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }
});
