import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { serviceLimits } from "@opencomputer/protocol/wire";
import type { Admission } from "../listeners/admission.ts";
import {
  type ExchangeFixture,
  type ExchangeFixtureOptions,
  readToEnd,
  readUntil,
  startExchange,
} from "../testing/http-exchange-fixture.ts";
import { policyOf, secretOf, tokenOf } from "../testing/http-policy.ts";
import { recordingUpstream } from "../testing/http-recording-upstream.ts";
import { opcodes } from "../websocket/frame.ts";
import { frameOf, readMessages } from "../websocket/testing/web-socket-frames.ts";

const host = "Host: api.example.com\r\n";

async function start(t: TestContext, options: ExchangeFixtureOptions): Promise<ExchangeFixture> {
  const exchange = await startExchange({ policy: policyOf([]), ...options });
  t.after(() => exchange.close());
  return exchange;
}

describe("serveConnection: requests on one connection", () => {
  test("serves pipelined requests in order over one upstream connection", async (t) => {
    const upstream = recordingUpstream((response, { url }) => response.end(`the page ${url}`));
    const exchange = await start(t, { upstream: upstream.listener });
    const received = await exchange.send(
      `GET /1 HTTP/1.1\r\n${host}\r\n` +
        `POST /2 HTTP/1.1\r\n${host}Content-Length: 3\r\n\r\nabc` +
        `POST /3 HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n2\r\nxy\r\n0\r\n\r\n` +
        `GET /4 HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
    );
    assert.deepEqual(
      received.match(/the page \/\d/g),
      [1, 2, 3, 4].map((n) => `the page /${n}`),
    );
    assert.deepEqual(
      upstream.requests.map(({ url, body }) => [url, body]),
      [
        ["/1", ""],
        ["/2", "abc"],
        ["/3", "xy"],
        ["/4", ""],
      ],
    );
    assert.deepEqual(exchange.dialled, ["api.example.com"]);
    assert.deepEqual(
      exchange.audits.map(({ path, status, requestBytes, responseBytes }) => [
        path,
        status,
        requestBytes,
        responseBytes,
      ]),
      [
        ["/1", 200, 0, 11],
        ["/2", 200, 3, 11],
        ["/3", 200, 2, 11],
        ["/4", 200, 0, 11],
      ],
    );
  });

  test("looks the policy up for each request", async (t) => {
    const upstream = recordingUpstream();
    const exchange = await start(t, {
      upstream: upstream.listener,
      policy: policyOf([secretOf("KEY", "a", "value-before")]),
    });
    const guest = exchange.connect();
    const request = `GET / HTTP/1.1\r\n${host}X-Key: ${tokenOf("a")}\r\n\r\n`;
    guest.write(request);
    await readUntil(guest, (text) => text.endsWith("ok"));
    exchange.policy = policyOf([secretOf("KEY", "a", "value-after")]);
    guest.write(request);
    await readUntil(guest, (text) => text.endsWith("ok"));
    exchange.policy = undefined;
    guest.write(request);
    assert.match(await readToEnd(guest), /^HTTP\/1\.1 403 .*"code":"no_session"/s);
    assert.deepEqual(
      upstream.requests.map(({ headers }) => headers["x-key"]),
      ["value-before", "value-after"],
    );
    assert.equal(exchange.audits[2]?.decision, "refused");
    assert.equal(exchange.audits[2]?.sandboxId, null);
  });

  test("sends a request once more when its reused connection was closed, unless it must not be repeated", async (t) => {
    for (const [method, body, expected] of [
      ["GET", "", 200],
      ["PUT", "abc", 200],
      ["POST", "abc", 502],
    ] as const) {
      const exchange = await start(t, {
        policy: policyOf([secretOf("KEY", "a", "some-value")]),
        raw(socket, count) {
          let requests = 0;
          socket.on("data", () => {
            requests += 1;
            if (count === 1 && requests === 2) socket.resetAndDestroy();
            else socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
          });
        },
      });
      const guest = exchange.connect();
      guest.write(`GET / HTTP/1.1\r\n${host}\r\n`);
      await readUntil(guest, (text) => text.endsWith("ok"));
      guest.write(
        `${method} / HTTP/1.1\r\n${host}Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      );
      assert.match(await readToEnd(guest), new RegExp(`^HTTP/1.1 ${expected} `), method);
      assert.equal(exchange.dialled.length, expected === 200 ? 2 : 1);
    }
  });

  test("dials again when the idle connection was closed in the meantime", async (t) => {
    const exchange = await start(t, {
      raw(socket) {
        socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
      },
    });
    const guest = exchange.connect();
    for (let round = 0; round < 3; round += 1) {
      guest.write(`POST / HTTP/1.1\r\n${host}Content-Length: 1\r\n\r\nx`);
      await readUntil(guest, (text) => text.endsWith("ok"));
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    assert.equal(exchange.dialled.length, 3);
  });
});

describe("serveConnection: versions and connections", () => {
  test("responds to HTTP/1.0 with a close, and ends a chunked response by the close", async (t) => {
    const exchange = await start(t, {
      upstream: (_request, response) => {
        response.write("part one, ");
        response.end("part two");
      },
    });
    const received = await exchange.send(`GET / HTTP/1.0\r\n${host}\r\n`);
    assert.match(received, /^HTTP\/1\.1 200 OK\r\n/);
    assert.match(received, /\r\nConnection: close\r\n/);
    assert.doesNotMatch(received, /Transfer-Encoding|Content-Length/i);
    assert.ok(received.endsWith("\r\n\r\npart one, part two"));
  });

  test("passes an HTTP/1.0 response that ends by the close as chunks", async (t) => {
    const exchange = await start(t, {
      raw(socket) {
        socket.once("data", () => socket.end("HTTP/1.0 200 OK\r\nX-A: b\r\n\r\nwhole body"));
      },
    });
    const guest = exchange.connect();
    guest.write(`GET / HTTP/1.1\r\n${host}\r\n`);
    const received = await readUntil(guest, (text) => text.endsWith("0\r\n\r\n"));
    assert.equal(
      received,
      "HTTP/1.1 200 OK\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\na\r\nwhole body\r\n0\r\n\r\n",
    );
  });

  test("responds to a guest that has ended its sending side", async (t) => {
    const exchange = await start(t, {
      upstream: (_request, response) => setTimeout(() => response.end("late"), 30),
    });
    const guest = exchange.connect();
    guest.end(`GET / HTTP/1.1\r\n${host}\r\n`);
    assert.match(await readToEnd(guest), /late$/);
  });

  test("drops hop-by-hop fields in both directions, and passes on what else Connection lists", async (t) => {
    const upstream = recordingUpstream((response) => {
      response.setHeader("Keep-Alive", "timeout=9");
      response.setHeader("X-Local", "1");
      response.setHeader("X-Through", "2");
      response.setHeader("Connection", "X-Local");
      response.end("ok");
    });
    const exchange = await start(t, { upstream: upstream.listener });
    const received = await exchange.send(
      `GET / HTTP/1.1\r\n${host}Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: x\r\n` +
        "Proxy-Authorization: Basic abc\r\nTE: gzip, trailers\r\nX-Kept: 2\r\n\r\n",
    );
    const [request] = upstream.requests;
    assert.deepEqual(request?.rawHeaders, [
      "Host",
      "api.example.com",
      "X-Hop",
      "1",
      "X-Kept",
      "2",
      "TE",
      "trailers",
      "Connection",
      "TE",
    ]);
    assert.match(received, /X-Through: 2/);
    assert.match(received, /X-Local: 1/);
    assert.doesNotMatch(received, /Keep-Alive|Connection: X-Local/i);
  });

  test("passes trailers on, both ways", async (t) => {
    const upstream = recordingUpstream((response) => {
      response.setHeader("Trailer", "X-After");
      response.write("body");
      response.addTrailers({ "X-After": "sum" });
      response.end();
    });
    const exchange = await start(t, { upstream: upstream.listener });
    const received = await exchange.send(
      `POST / HTTP/1.1\r\n${host}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n` +
        "3;ext=1\r\nabc\r\n0\r\nX-Sum: 7\r\nContent-Length: 9\r\n\r\n",
    );
    assert.equal(upstream.requests[0]?.body, "abc");
    assert.deepEqual({ ...upstream.requests[0]?.trailers }, { "x-sum": "7" });
    assert.ok(received.endsWith("0\r\nX-After: sum\r\n\r\n"), received);
  });

  test("keeps the length of a response to HEAD, and sends no body with 204 and 304", async (t) => {
    const exchange = await start(t, {
      policy: policyOf([secretOf("KEY", "a", "some-long-value")]),
      upstream: (request, response) => {
        if (request.url === "/204") response.writeHead(204).end();
        else if (request.url === "/304") response.writeHead(304, { "Content-Length": "7" }).end();
        else if (request.url === "/0") response.writeHead(200, { "Content-Length": "0" }).end();
        else response.writeHead(200, { "Content-Length": "12345" }).end();
      },
    });
    const received = await exchange.send(
      `HEAD / HTTP/1.1\r\n${host}\r\nGET /204 HTTP/1.1\r\n${host}\r\nGET /304 HTTP/1.1\r\n${host}\r\n` +
        `GET /0 HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
    );
    const heads = received.split("\r\n\r\n");
    assert.match(heads[0] ?? "", /^HTTP\/1\.1 200 .*\r\nContent-Length: 12345$/s);
    assert.match(heads[1] ?? "", /^HTTP\/1\.1 204 /);
    assert.doesNotMatch(heads[1] ?? "", /Content-Length|Transfer-Encoding/i);
    assert.match(heads[2] ?? "", /^HTTP\/1\.1 304 .*\r\nContent-Length: 7$/s);
    assert.match(heads[3] ?? "", /^HTTP\/1\.1 200 .*\r\nContent-Length: 0\r\nConnection: close$/s);
    assert.equal(heads[4], "");
  });
});

describe("serveConnection: 100-continue and early hints", () => {
  const expecting = `POST / HTTP/1.1\r\n${host}Expect: 100-continue\r\nConnection: close\r\nContent-Length: 5\r\n\r\n`;

  test("passes the expectation and the upstream's 100 when the body is streamed", async (t) => {
    const exchange = await start(t, {
      raw(socket) {
        socket.once("data", (head) => {
          assert.match(head.toString(), /\r\nExpect: 100-continue\r\n/);
          socket.write("HTTP/1.1 100 Continue\r\n\r\n");
          socket.once("data", (body) => socket.end(`HTTP/1.1 200 OK\r\n\r\ngot ${body}`));
        });
      },
    });
    const guest = exchange.connect();
    guest.write(expecting);
    assert.equal(
      await readUntil(guest, (text) => text.endsWith("\r\n\r\n")),
      "HTTP/1.1 100 Continue\r\n\r\n",
    );
    guest.write("hello");
    assert.match(await readToEnd(guest), /got hello/);
  });

  test("passes the upstream's refusal, without having read the body", async (t) => {
    const exchange = await start(t, {
      raw(socket) {
        socket.once("data", () => socket.write("HTTP/1.1 417 No\r\nContent-Length: 2\r\n\r\nno"));
      },
    });
    const guest = exchange.connect();
    guest.write(expecting);
    const received = await readToEnd(guest);
    assert.match(received, /^HTTP\/1\.1 417 No\r\n.*\r\nConnection: close\r\n\r\nno$/s);
  });

  test("responds with 100 itself when the body is measured first, and drops the expectation", async (t) => {
    const upstream = recordingUpstream();
    const exchange = await start(t, {
      upstream: upstream.listener,
      policy: policyOf([secretOf("KEY", "a", "some-value")]),
    });
    const guest = exchange.connect();
    guest.write(expecting);
    assert.equal(
      await readUntil(guest, (text) => text.endsWith("\r\n\r\n")),
      "HTTP/1.1 100 Continue\r\n\r\n",
    );
    guest.write("hello");
    assert.match(await readToEnd(guest), /^HTTP\/1\.1 200 OK/);
    assert.equal(upstream.requests[0]?.headers["expect"], undefined);
    assert.equal(upstream.requests[0]?.headers["content-length"], "5");
  });

  test("sends no 100 to a host that is refused", async (t) => {
    const exchange = await start(t, {
      policy: policyOf([secretOf("KEY", "a", "some-value")], ["api.example.com"]),
    });
    const guest = exchange.connect();
    guest.write(expecting);
    assert.match(await readToEnd(guest), /^HTTP\/1\.1 403 /);
    assert.deepEqual(exchange.dialled, []);
  });

  test("passes 103 on to HTTP/1.1 and not to HTTP/1.0", async (t) => {
    const exchange = await start(t, {
      upstream: (_request, response) =>
        response.writeEarlyHints({ link: "</a>; rel=preload" }, () => response.end("ok")),
    });
    const modern = await exchange.send(`GET / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`);
    assert.match(
      modern,
      /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a>; rel=preload\r\n\r\nHTTP\/1\.1 200 OK/i,
    );
    assert.match(await exchange.send(`GET / HTTP/1.0\r\n${host}\r\n`), /^HTTP\/1\.1 200 OK/);
  });
});

describe("serveConnection: upgrades", () => {
  const upgrade = (protocol: string) =>
    `GET /chat HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: ${protocol}\r\nAuthorization: Bearer ${tokenOf("a")}\r\n\r\n`;

  test("passes a WebSocket after 101, with values in its request and its text messages", async (t) => {
    const value = "sk-Q7v2mX9Lp4ZtW8cKdR3";
    const token = tokenOf("a");
    const heads: string[] = [];
    const received: string[] = [];
    const exchange = await start(t, {
      policy: policyOf([secretOf("KEY", "a", value)]),
      raw(socket) {
        socket.once("data", (head) => {
          heads.push(head.toString());
          socket.write(
            `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Echo: ${value}\r\n\r\n`,
          );
          socket.write(frameOf({ opcode: opcodes.text, payload: "first" }, "upstream"));
          socket.on("data", (bytes: Buffer) => {
            received.push(...readMessages([bytes], "guest"));
            const payload = `<${value}>`;
            socket.write(frameOf({ opcode: opcodes.text, payload }, "upstream"));
          });
          socket.once("end", () => socket.end());
        });
      },
    });
    const guest = exchange.connect();
    guest.write(upgrade("websocket"));
    const first = await readUntil(guest, (text) => text.endsWith("first"));
    const end = first.indexOf("\r\n\r\n") + 4;
    assert.match(
      first.slice(0, end),
      /^HTTP\/1\.1 101 .*\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n$/s,
    );
    assert.match(first, new RegExp(`X-Echo: ${token}`));
    assert.deepEqual(readMessages([Buffer.from(first.slice(end), "latin1")], "upstream"), [
      "text first",
    ]);
    assert.match(heads[0] ?? "", new RegExp(`Authorization: Bearer ${value}\\r\\n`));
    assert.match(heads[0] ?? "", /Upgrade: websocket\r\nConnection: Upgrade\r\n/);
    const frame = frameOf({ opcode: opcodes.text, payload: token }, "guest");
    guest.write(frame);
    const second = await readUntil(guest, (text) => text.endsWith(">"));
    assert.deepEqual(readMessages([Buffer.from(second, "latin1")], "upstream"), [
      `text <${token}>`,
    ]);
    assert.deepEqual(received, [`text ${value}`]);
    guest.end();
    await readToEnd(guest);
    const [line] = await exchange.audited(1);
    assert.equal(line?.status, 101);
    assert.equal(line?.requestBytes, frame.length);
    assert.equal(line?.responseBytes, 2 + "first".length + 2 + value.length + 2);
    assert.deepEqual(line?.substituted, ["KEY"]);
    assert.deepEqual(line?.redacted, ["KEY"]);
  });

  test("does not ask for h2c upstream, and refuses a switch of protocols that was not requested", async (t) => {
    const exchange = await start(t, {
      raw(socket) {
        socket.once("data", (head) => {
          assert.doesNotMatch(head.toString(), /upgrade/i);
          socket.write(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
          );
        });
      },
    });
    const guest = exchange.connect();
    guest.write(upgrade("h2c"));
    assert.match(
      await readUntil(guest, (text) => text.includes("}")),
      /^HTTP\/1\.1 502 .*"code":"upstream_malformed"/s,
    );
    guest.destroy();
  });
});

describe("serveConnection: time-outs", () => {
  test("ends a request whose head is never complete, even while bytes of it arrive", async (t) => {
    const exchange = await start(t, { options: { headTimeoutSeconds: 0.1 } });
    const guest = exchange.connect();
    const drip = setInterval(() => guest.write("X: y\r\n"), 10);
    t.after(() => clearInterval(drip));
    guest.write(`GET / HTTP/1.1\r\n${host}`);
    assert.match(await readToEnd(guest), /^HTTP\/1\.1 408 /);
    clearInterval(drip);
    assert.equal(exchange.audits.length, 1);
  });

  test("closes a connection that sends nothing, without an audit line", async (t) => {
    const exchange = await start(t, { options: { headTimeoutSeconds: 0.05 } });
    assert.equal(await readToEnd(exchange.connect()), "");
    assert.deepEqual(exchange.audits, []);
  });

  test("responds with 504 when the upstream sends nothing", async (t) => {
    const exchange = await start(t, {
      raw: (socket) => socket.resume(),
      options: { silenceTimeoutSeconds: 0.1 },
    });
    const received = await exchange.send(`GET / HTTP/1.1\r\n${host}\r\n`);
    assert.match(received, /^HTTP\/1\.1 504 .*"code":"timed_out"/s);
    assert.equal(exchange.audits[0]?.status, 504);
  });

  test("waits for an upstream that is silent for longer than an idle connection lasts", async (t) => {
    const exchange = await start(t, {
      raw: (socket) => {
        socket.once("data", async () => {
          for (const part of ["HTTP/1.1 200 OK\r\n", "Content-Length: 2\r\n\r\na", "b"]) {
            await sleep(100);
            socket.write(part);
          }
        });
      },
      options: { idleTimeoutSeconds: 0.02, timeoutCheckSeconds: 0.005 },
    });
    const guest = exchange.connect();
    guest.write(`GET / HTTP/1.1\r\n${host}\r\n`);
    assert.match(await readUntil(guest, (text) => text.endsWith("ab")), /^HTTP\/1\.1 200 /);
    // Kept alive, it has no request in progress.
    assert.equal(await readToEnd(guest), "");
    assert.equal(exchange.audits[0]?.status, 200);
  });

  test("breaks a response off whose upstream falls silent for too long", async (t) => {
    const exchange = await start(t, {
      raw: (socket) => {
        socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na"));
      },
      options: { silenceTimeoutSeconds: 0.1 },
    });
    assert.doesNotMatch(await exchange.send(`GET / HTTP/1.1\r\n${host}\r\n`), /504/);
    const [line] = await exchange.audited(1);
    assert.match(line?.reason ?? "", /No byte was sent/);
  });

  test("responds with 504 when the guest does not send the body it announced", async (t) => {
    const exchange = await start(t, {
      policy: policyOf([secretOf("KEY", "a", "some-value")]),
      upstream: recordingUpstream().listener,
      options: { silenceTimeoutSeconds: 0.1 },
    });
    const guest = exchange.connect();
    guest.write(`POST / HTTP/1.1\r\n${host}Content-Length: 10\r\n\r\nabc`);
    assert.match(await readToEnd(guest), /^HTTP\/1\.1 504 /);
  });
});

describe("serveConnection: room for other connections", () => {
  function recordingAdmission() {
    const events: string[] = [];
    const admission: Admission = {
      isRefused: false,
      idle(close) {
        events.push("idle");
        makeRoom = close;
      },
      busy: () => void events.push("busy"),
    };
    let makeRoom: () => void = () => assert.fail("the connection was never idle");
    return { admission, events, makeRoom: () => makeRoom() };
  }

  test("is busy from the first byte of a request to the end of its response", async (t) => {
    const { admission, events } = recordingAdmission();
    const exchange = await start(t, {
      admission,
      upstream: (_request, response) => {
        events.push("upstream");
        response.end("ok");
      },
    });
    const guest = exchange.connect();
    for (let request = 0; request < 2; request += 1) {
      guest.write(`GET / HTTP/1.1\r\n${host}\r\n`);
      await readUntil(guest, (text) => text.endsWith("ok"));
    }
    guest.end();
    await readToEnd(guest);
    assert.deepEqual(events, [
      "idle",
      ...["busy", "upstream", "idle"],
      ...["busy", "upstream", "idle"],
    ]);
  });

  test("closes cleanly to make room", async (t) => {
    const { admission, makeRoom } = recordingAdmission();
    const exchange = await start(t, {
      admission,
      upstream: (_request, response) => response.end("ok"),
    });
    const guest = exchange.connect();
    guest.write(`GET / HTTP/1.1\r\n${host}\r\n`);
    await readUntil(guest, (text) => text.endsWith("ok"));
    makeRoom();
    assert.equal(await readToEnd(guest), "");
    assert.equal(exchange.audits.length, 1);
  });
});

describe("serveConnection: smuggling", () => {
  const smuggled = "GET /smuggled HTTP/1.1\r\nHost: api.example.com\r\n\r\n";
  const cases: { name: string; bytes: string; status?: number }[] = [
    {
      name: "both framings",
      bytes: `POST / HTTP/1.1\r\n${host}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    },
    {
      name: "two lengths",
      bytes: `POST / HTTP/1.1\r\n${host}Content-Length: 0\r\nContent-Length: 60\r\n\r\n`,
    },
    {
      name: "a coding in disguise",
      bytes: `POST / HTTP/1.1\r\n${host}Transfer-Encoding: xchunked\r\n\r\n`,
    },
    {
      name: "a coding with a vertical tab",
      bytes: `POST / HTTP/1.1\r\n${host}Transfer-Encoding:\x0bchunked\r\n\r\n`,
    },
    {
      name: "a space before the colon",
      bytes: `POST / HTTP/1.1\r\n${host}Content-Length : 60\r\n\r\n`,
    },
    {
      name: "a folded length",
      bytes: `POST / HTTP/1.1\r\n${host}X: y\r\n Content-Length: 60\r\n\r\n`,
    },
    { name: "a bare CR", bytes: `GET / HTTP/1.1\r\n${host}X: y\rZ: z\r\n\r\n` },
    { name: "a bare LF", bytes: `GET / HTTP/1.1\r\n${host}X: y\nZ: z\r\n\r\n` },
    { name: "a NUL", bytes: `GET / HTTP/1.1\r\n${host}X: \0\r\n\r\n` },
    { name: "no Host", bytes: "GET / HTTP/1.1\r\n\r\n" },
    { name: "two Hosts", bytes: `GET / HTTP/1.1\r\n${host}${host}\r\n` },
    {
      name: "a target that disagrees with Host",
      bytes: `GET https://evil.example/ HTTP/1.1\r\n${host}\r\n`,
    },
    { name: "another protocol", bytes: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", status: 505 },
    {
      name: "too many fields",
      bytes: `GET / HTTP/1.1\r\n${host}${"X: y\r\n".repeat(serviceLimits.httpFieldsMax)}\r\n`,
      status: 431,
    },
    {
      name: "too large a head",
      bytes: `GET / HTTP/1.1\r\n${host}X: ${"y".repeat(serviceLimits.httpHeadBytesMax)}\r\n\r\n`,
      status: 431,
    },
  ];
  for (const { name, bytes, status = 400 } of cases) {
    test(`refuses ${name} with ${status}, sends nothing upstream and reads nothing behind it`, async (t) => {
      const upstream = recordingUpstream();
      const exchange = await start(t, { upstream: upstream.listener });
      const received = await exchange.send(bytes + smuggled);
      assert.match(
        received,
        new RegExp(`^HTTP/1.1 ${status} .*\\r\\nConnection: close\\r\\n\\r\\n\\{.*\\}\\n$`, "s"),
      );
      assert.deepEqual(upstream.requests, []);
      assert.deepEqual(exchange.dialled, []);
      assert.equal(exchange.audits.length, 1);
      assert.equal(exchange.audits[0]?.decision, "refused");
      assert.equal(exchange.audits[0]?.status, status);
    });
  }

  test("refuses a chunked body that becomes malformed, and breaks the upstream connection off", async (t) => {
    const upstream = recordingUpstream();
    const exchange = await start(t, { upstream: upstream.listener });
    const received = await exchange.send(
      `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n${smuggled}`,
    );
    assert.match(received, /^HTTP\/1\.1 400 /);
    assert.deepEqual(upstream.requests, []);
  });

  test("refuses CONNECT", async (t) => {
    const exchange = await start(t, {});
    const received = await exchange.send(
      "CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n",
    );
    assert.match(received, /^HTTP\/1\.1 405 .*"code":"method_not_allowed"/s);
    assert.deepEqual(exchange.dialled, []);
  });
});
