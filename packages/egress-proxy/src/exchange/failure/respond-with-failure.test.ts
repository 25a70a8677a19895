import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, type TestContext, test } from "node:test";
import {
  type ExchangeFixture,
  type ExchangeFixtureOptions,
  readToEnd,
  readUntil,
  startExchange,
} from "../../testing/http-exchange-fixture.ts";
import { policyOf, secretOf, tokenOf } from "../../testing/http-policy.ts";
import { DialError, type DialFailure } from "../../upstream/destination.ts";

const value = "sk-Q7v2mX9Lp4ZtW8cKdR3";
const host = "Host: api.example.com\r\n";
const get = `GET / HTTP/1.1\r\n${host}X-Key: ${tokenOf("a")}\r\nConnection: close\r\n\r\n`;

async function start(t: TestContext, options: ExchangeFixtureOptions): Promise<ExchangeFixture> {
  const exchange = await startExchange({
    policy: policyOf([secretOf("KEY", "a", value)]),
    ...options,
  });
  t.after(() => exchange.close());
  return exchange;
}

describe("respondWithFailure: the upstream cannot be reached", () => {
  const failures: { failure: DialFailure; status: number; decision: "allowed" | "refused" }[] = [
    { failure: "name_not_resolved", status: 502, decision: "allowed" },
    { failure: "address_refused", status: 403, decision: "refused" },
    { failure: "connection_failed", status: 502, decision: "allowed" },
    { failure: "certificate_invalid", status: 502, decision: "allowed" },
    { failure: "timed_out", status: 504, decision: "allowed" },
  ];
  for (const { failure, status, decision } of failures) {
    test(`${failure} is ${status} with its reason`, async (t) => {
      const exchange = await start(t, {
        dial: () => Promise.reject(new DialError(failure, `the reason of ${failure}`)),
      });
      const received = await exchange.send(get);
      assert.match(received, new RegExp(`^HTTP/1.1 ${status} `));
      assert.ok(
        received.endsWith(`{"error":"the reason of ${failure}","code":"${failure}"}\n`),
        received,
      );
      const [line] = exchange.audits;
      assert.equal(line?.decision, decision);
      assert.equal(line?.reason, `the reason of ${failure}`);
      assert.deepEqual(line?.substituted, []);
    });
  }

  test("an error of another kind is a 500 that does not repeat its text", async (t) => {
    const exchange = await start(t, { dial: () => Promise.reject(new TypeError(value)) });
    const received = await exchange.send(get);
    assert.match(received, /^HTTP\/1\.1 500 .*TypeError.*"code":"internal_error"/s);
    assert.doesNotMatch(received + JSON.stringify(exchange.audits), new RegExp(value));
  });
});

describe("respondWithFailure: the upstream's response", () => {
  const malformed: { name: string; response: string; code?: string }[] = [
    { name: "is no HTTP", response: "SSH-2.0-OpenSSH\r\n\r\n" },
    {
      name: "has both framings",
      response: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
    },
    {
      name: "has two lengths",
      response: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
    },
    { name: "has a folded field", response: "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n" },
    { name: "has a bare LF", response: "HTTP/1.1 200 OK\nX: y\n\n" },
    { name: "has too many fields", response: `HTTP/1.1 200 OK\r\n${"X: y\r\n".repeat(300)}\r\n` },
    {
      name: "has too large a head",
      response: `HTTP/1.1 200 OK\r\nX: ${"y".repeat(70_000)}\r\n\r\n`,
    },
    {
      name: "has interim responses without end",
      response: "HTTP/1.1 102 Processing\r\n\r\n".repeat(100),
    },
    { name: "ends inside its head", response: "HTTP/1.1 200 OK\r\nX:", code: "upstream_closed" },
    { name: "is empty", response: "", code: "upstream_closed" },
    {
      name: "has a malformed first chunk",
      response: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\nzz\r\n",
    },
    {
      name: "ends inside a small body",
      response: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok",
      code: "upstream_closed",
    },
  ];
  for (const { name, response, code = "upstream_malformed" } of malformed) {
    test(`that ${name} is a 502 ${code}`, async (t) => {
      const exchange = await start(t, {
        raw: (socket) => socket.once("data", () => socket.end(response)),
      });
      const given = await exchange.send(get);
      assert.match(
        given,
        new RegExp(`HTTP/1.1 502 Bad Gateway\\r\\n.*"code":"${code}"\\}\\n$`, "s"),
      );
      assert.equal(exchange.audits[0]?.decision, "allowed");
      assert.equal(exchange.audits[0]?.status, 502);
      assert.deepEqual(exchange.audits[0]?.substituted, ["KEY"]);
    });
  }

  const cutOff: {
    name: string;
    response: string;
    later?: string;
    policy: ExchangeFixtureOptions["policy"];
  }[] = [
    {
      name: "a body with a length",
      response: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart",
      policy: policyOf([]),
    },
    {
      name: "a chunked body",
      response: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
      policy: policyOf([]),
    },
    {
      name: "a malformed chunk",
      response: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
      later: "zz\r\n",
      policy: policyOf([secretOf("KEY", "a", value)]),
    },
  ];
  for (const { name, response, later = "", policy } of cutOff) {
    test(`truncated in ${name} is never a clean end for the guest`, async (t) => {
      const exchange = await start(t, {
        policy,
        raw: (socket) =>
          socket.once("data", () => {
            socket.write(response, () =>
              setTimeout(() => socket.write(later, () => socket.resetAndDestroy()), 30),
            );
          }),
      });
      const guest = exchange.connect();
      let failed = false;
      guest.once("error", () => {
        failed = true;
      });
      guest.write(get);
      const given = await readToEnd(guest);
      if (name !== "a malformed chunk") assert.match(given, /part/);
      assert.doesNotMatch(given, /\r\n0\r\n\r\n$/);
      assert.equal(failed, true);
      const [line] = await exchange.audited(1);
      assert.equal(line?.status, 200);
      assert.notEqual(line?.reason, null);
    });
  }

  test("truncated where only the close marks the end is a reset", async (t) => {
    const exchange = await start(t, {
      raw: (socket) =>
        socket.once("data", () => {
          socket.write("HTTP/1.0 200 OK\r\n\r\npart", () =>
            setTimeout(() => socket.resetAndDestroy(), 30),
          );
        }),
    });
    const guest = exchange.connect();
    guest.write(get.replace("HTTP/1.1", "HTTP/1.0"));
    const [error] = await once(guest.resume(), "error");
    assert.equal(error.code, "ECONNRESET");
  });

  test("that comes before the body is sent is passed on, and the connection closed", async (t) => {
    const exchange = await start(t, {
      raw: (socket) =>
        socket.once("data", () =>
          socket.write("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"),
        ),
    });
    const guest = exchange.connect();
    guest.write(`POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`);
    const received = await readToEnd(guest);
    assert.match(received, /^HTTP\/1\.1 413 .*\r\nConnection: close\r\n\r\nno$/s);
    assert.equal(exchange.audits[0]?.status, 413);
  });
});

describe("respondWithFailure: the guest goes away", () => {
  test("while its body is being sent: the upstream connection is broken off", async (t) => {
    let upstreamClosed: Promise<unknown> | undefined;
    let arrived: () => void = () => undefined;
    const received = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const exchange = await start(t, {
      raw: (socket) => {
        upstreamClosed = once(socket, "close");
        socket.on("data", () => arrived());
      },
    });
    const guest = exchange.connect();
    guest.write(`POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`);
    await received;
    guest.destroy();
    await upstreamClosed;
    const [line] = await exchange.audited(1);
    assert.match(line?.reason ?? "", /guest closed/);
    assert.equal(line?.status, null);
    assert.equal(line?.requestBytes, 3);
  });

  test("while the response is being sent: the upstream connection is broken off", async (t) => {
    let upstreamClosed: Promise<unknown> | undefined;
    const exchange = await start(t, {
      raw: (socket) => {
        upstreamClosed = once(socket, "close");
        socket.once("data", () => {
          socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
          const timer = setInterval(() => socket.write("4\r\npart\r\n"), 5);
          socket.once("close", () => clearInterval(timer));
        });
      },
    });
    const guest = exchange.connect();
    guest.write(get);
    await readUntil(guest, (text) => text.includes("part"));
    guest.resetAndDestroy();
    await upstreamClosed;
    const [line] = await exchange.audited(1);
    assert.match(line?.reason ?? "", /guest closed/);
    assert.equal(line?.status, 200);
  });

  test("while the upstream is dialled: the dial is aborted", async (t) => {
    let calledOff: Promise<unknown> | undefined;
    let begun: () => void = () => undefined;
    const dialling = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const exchange = await start(t, {
      dial: (_destination, signal) =>
        new Promise((_resolve, reject) => {
          calledOff = once(signal, "abort").then(() =>
            reject(new DialError("connection_failed", "called off")),
          );
          begun();
        }),
    });
    const guest = exchange.connect();
    guest.write(get);
    await dialling;
    guest.resetAndDestroy();
    await calledOff;
    const [line] = await exchange.audited(1);
    assert.match(line?.reason ?? "", /guest closed/);
  });
});
