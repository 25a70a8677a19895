import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import { Duplex } from "node:stream";
import { describe, type TestContext, test } from "node:test";
import { policyOf, secretOf, tokenOf } from "../testing/http-policy.ts";
import { rawUpstream } from "../testing/http-raw-upstream.ts";
import { recordingUpstream } from "../testing/http-recording-upstream.ts";
import { splitAtRandom } from "../testing/http-split.ts";
import { requestOn, resultOf, startHttp2Exchange } from "../testing/http2-exchange-fixture.ts";
import {
  clientBeginning,
  connectionPreface,
  dataFrame,
  type FieldList,
  frameFlags,
  headersFrame,
  readFrames,
  resetFrame,
  settingsFrame,
} from "../testing/http2-frames.ts";
import { nearMisses } from "../testing/near-misses.ts";
import { createSeededRandom } from "../testing/seeded-random.ts";
import { neighbouringPair, randomPair } from "../testing/value-pairs.ts";

const value = "sk-Q7v2mX9Lp4ZtW8cKdR3";
const token = tokenOf("a");
const policy = policyOf([secretOf("KEY", "a", value)]);
const plain = policyOf([]);

/** The value of a field in alternating names and values. */
const fieldOf = (raw: readonly string[] | undefined, name: string) => raw?.[raw.indexOf(name) + 1];

describe("serveHttp2: between two sides that speak HTTP/2", () => {
  test("substitutes in fields, path and body, and redacts fields, body and trailers", async (t) => {
    const everywhere = policyOf([secretOf("KEY", "a", value, [], ["header", "query", "body"])]);
    const seen: { raw: readonly string[]; body: string }[] = [];
    const exchange = await startHttp2Exchange(t, {
      policy: everywhere,
      async onStream(stream, _headers, raw) {
        let body = "";
        for await (const part of stream) body += String(part);
        seen.push({ raw, body });
        stream.respond({ ":status": 200, "x-echo": value }, { waitForTrailers: true });
        stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": [value, "2"] }));
        stream.end(`<${value}>`);
      },
    });
    const result = await exchange.request(
      {
        ":method": "POST",
        ":path": `/a?b=${token}`,
        authorization: `Bearer ${token}`,
        cookie: ["a=1", `b=${token}`],
        "content-type": "application/json",
      },
      `{"k":"${token}"}`,
    );
    assert.equal(result.status, 200);
    assert.equal(result.headers["x-echo"], token);
    assert.equal(result.body.toString(), `<${token}>`);
    assert.equal(result.trailers?.["x-sum"], `${token}, 2`);
    const [{ raw, body } = { raw: [], body: "" }] = seen;
    assert.equal(fieldOf(raw, ":path"), `/a?b=${value}`);
    assert.equal(fieldOf(raw, ":authority"), "api.example.com");
    assert.equal(fieldOf(raw, "authorization"), `Bearer ${value}`);
    assert.equal(fieldOf(raw, "cookie"), `a=1; b=${value}`);
    assert.equal(raw.includes("host"), false);
    assert.equal(body, `{"k":"${value}"}`);
    const [audit] = await exchange.audited(1);
    assert.deepEqual(audit?.substituted, ["KEY"]);
    assert.deepEqual(audit?.redacted, ["KEY"]);
    assert.equal(audit?.status, 200);
  });

  test("names what was withheld, and sends the token as it is", async (t) => {
    const seen: (readonly string[])[] = [];
    const exchange = await startHttp2Exchange(t, {
      policy,
      onStream(stream, _headers, raw) {
        seen.push(raw);
        stream.respond({ ":status": 200 }, { endStream: true });
      },
    });
    const result = await exchange.request({ "user-agent": token });
    assert.equal(fieldOf(seen[0], "user-agent"), token);
    assert.equal(result.headers["opencomputer-egress"], "withheld=KEY (header user-agent)");
    assert.deepEqual(exchange.audits[0]?.withheld, [{ name: "KEY", place: "header user-agent" }]);
  });

  test("keeps the tables of HPACK free of values", async (t) => {
    const sensitive: unknown[] = [];
    const exchange = await startHttp2Exchange(t, {
      policy,
      onStream(stream, headers) {
        sensitive.push(Reflect.get(headers, http2.sensitiveHeaders));
        stream.respond({ ":status": 200 }, { endStream: true });
      },
    });
    await exchange.request({ "x-api-key": token, "x-other": "a" });
    assert.deepEqual(sensitive, [["x-api-key"]]);
  });

  test("carries concurrent exchanges on one connection to the upstream", async (t) => {
    const exchange = await startHttp2Exchange(t, {
      policy,
      onStream(stream, headers) {
        stream.respond({ ":status": 200 });
        setImmediate(() => stream.end(headers[":path"]));
      },
    });
    const paths = Array.from({ length: 60 }, (_, at) => `/${at}`);
    const results = await Promise.all(paths.map((path) => exchange.request({ ":path": path })));
    assert.deepEqual(
      results.map(({ body }) => body.toString()),
      paths,
    );
    assert.equal(exchange.upstream.sessions.length, 1);
    assert.equal(exchange.dialled.length, 1);
    assert.equal((await exchange.audited(60)).length, 60);
  });

  test("passes a response on before the request has ended, and both in parts", async (t) => {
    const exchange = await startHttp2Exchange(t, {
      policy: plain,
      onStream(stream) {
        stream.respond({ ":status": 200 });
        stream.on("data", (part: Buffer) => stream.write(`<${part}>`));
        stream.on("end", () => stream.end());
      },
    });
    const stream = exchange.session.request({ ":method": "POST" });
    for (const word of ["one", "two", "three"]) {
      stream.write(word);
      const [echo] = await once(stream, "data");
      assert.equal(String(echo), `<${word}>`);
    }
    stream.end();
    await once(stream, "close");
    assert.equal((await exchange.audited(1))[0]?.requestBytes, 11);
  });

  test("passes interim responses, HEAD, 204 and 304 on", async (t) => {
    const exchange = await startHttp2Exchange(t, {
      policy,
      onStream(stream, headers) {
        stream.additionalHeaders({ ":status": 103, link: `<${value}>` });
        const status = Number(headers["x-status"]);
        stream.respond({ ":status": status, "content-length": 7 }, { endStream: true });
      },
    });
    const head = await exchange.request({ ":method": "HEAD", "x-status": "200" });
    assert.equal(head.headers["content-length"], "7");
    assert.deepEqual(
      head.interim.map(({ link }) => link),
      [`<${token}>`],
    );
    const unmodified = await exchange.request({ "x-status": "304" });
    assert.equal(unmodified.status, 304);
    assert.equal(unmodified.headers["content-length"], "7");
    for (const { resetCode } of [head, unmodified]) assert.equal(resetCode, 0);
  });

  test("sends a guest that expects it 100 Continue before a measured body", async (t) => {
    const exchange = await startHttp2Exchange(t, {
      policy,
      async onStream(stream) {
        for await (const _part of stream);
        stream.respond({ ":status": 200 });
        stream.end("ok");
      },
    });
    const stream = exchange.session.request({
      ":method": "POST",
      expect: "100-continue",
      "content-length": 4,
    });
    const result = resultOf(stream);
    await once(stream, "continue");
    stream.end("body");
    assert.equal((await result).body.toString(), "ok");
  });

  test("keeps fields that are given more than once", async (t) => {
    const exchange = await startHttp2Exchange(t, {
      policy,
      onStream(stream) {
        stream.respond([":status", "200", "set-cookie", "a=1", "set-cookie", "b=2"], {
          endStream: true,
        });
      },
    });
    const { headers } = await exchange.request();
    assert.deepEqual(headers["set-cookie"], ["a=1", "b=2"]);
  });
});

describe("serveHttp2: between two versions of HTTP", () => {
  test("reaches an upstream that speaks HTTP/1.1 only", async (t) => {
    const upstream = recordingUpstream((response) => {
      response.setHeader("Trailer", "x-sum");
      response.write(`<${value}`);
      response.addTrailers({ "x-sum": value });
      response.end(">");
    });
    const exchange = await startHttp2Exchange(t, { policy, upstream: upstream.listener });
    const result = await exchange.request(
      { ":method": "POST", "content-type": "application/json", cookie: ["a=1", `b=${token}`] },
      `{"k":"${token}"}`,
    );
    assert.equal(result.status, 200);
    assert.equal(result.body.toString(), `<${token}>`);
    assert.equal(result.trailers?.["x-sum"], token);
    assert.equal(upstream.requests[0]?.body, `{"k":"${value}"}`);
    assert.equal(upstream.requests[0]?.headers.cookie, `a=1; b=${value}`);
    assert.equal(upstream.requests[0]?.headers.host, "api.example.com");
  });

  /** Fields that no message of HTTP/2 may have, and some of which there may be one (RFC 9113 §8.2.2). */
  const oddTrailers = [
    ...["Connection: x", "HTTP2-Settings: AAAA", "Keep-Alive: timeout=1", "Proxy-Connection: x"],
    ...["Proxy-Authorization: x", "TE: gzip", "Upgrade: h2c", "Transfer-Encoding: x"],
    ...[
      "ETag: a",
      "ETag: b",
      "Date: c",
      "Date: d",
      "Content-MD5: e",
      "Content-MD5: f",
      "__proto__: g",
    ],
  ];
  const chunkedWithTrailers = `1\r\na\r\n0\r\n${["X-Sum: 1", ...oddTrailers].join("\r\n")}\r\n\r\n`;

  test("passes trailers of a response on, without those of its connection", async (t) => {
    const exchange = await startHttp2Exchange(t, {
      policy,
      ...rawUpstream([
        `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunkedWithTrailers}`,
      ]),
    });
    const { status, body, trailers, resetCode } = await exchange.request();
    assert.deepEqual([status, body.toString(), resetCode], [200, "a", 0]);
    const { "x-sum": sum, ...others } = trailers ?? {};
    assert.equal(sum, "1");
    assert.deepEqual(Object.keys(others).sort(), ["__proto__", "content-md5", "date", "etag"]);
  });

  test("passes trailers of a request on, without those of its connection", async (t) => {
    const seen: http2.IncomingHttpHeaders[] = [];
    const exchange = await startHttp2Exchange(t, {
      policy,
      protocol: "http/1.1",
      onStream(stream) {
        stream.on("trailers", (trailers) => seen.push(trailers));
        stream.resume();
        stream.on("end", () => stream.respond({ ":status": 204 }, { endStream: true }));
      },
    });
    const received = await exchange.send(
      `POST / HTTP/1.1\r\nHost: api.example.com\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n${chunkedWithTrailers}`,
    );
    assert.match(received, /^HTTP\/1\.1 204 /);
    assert.equal(seen[0]?.["x-sum"], "1");
    assert.equal(seen[0]?.["http2-settings"], undefined);
  });

  test("refuses a body that is malformed before the upstream's session has begun", async (t) => {
    const exchange = await startHttp2Exchange(t, {
      policy,
      protocol: "http/1.1",
      onStream: (stream) => stream.respond({ ":status": 204 }, { endStream: true }),
    });
    const received = await exchange.send(
      "POST / HTTP/1.1\r\nHost: api.example.com\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\nno size\r\n",
    );
    assert.match(received, /^HTTP\/1\.1 400 .*malformed_request/s);
    assert.equal(exchange.upstream.streams.length, 0);
  });

  test("uses a bounded number of connections over HTTP/1.1, for all streams", async (t) => {
    const upstream = recordingUpstream((response, { url }) =>
      setTimeout(() => response.end(url), 5),
    );
    const exchange = await startHttp2Exchange(t, { policy, upstream: upstream.listener });
    const paths = Array.from({ length: 50 }, (_, at) => `/${at}`);
    const results = await Promise.all(paths.map((path) => exchange.request({ ":path": path })));
    assert.deepEqual(
      results.map(({ body }) => body.toString()),
      paths,
    );
    assert.equal(exchange.dialled.length, 8);
  });

  test("a stream that waits for a connection may be given up", async (t) => {
    const upstream = recordingUpstream((response) => setTimeout(() => response.end("ok"), 20));
    const exchange = await startHttp2Exchange(t, { policy, upstream: upstream.listener });
    const streams = Array.from({ length: 30 }, () => exchange.session.request());
    const results = streams.map(resultOf);
    for (const stream of streams.slice(10, 20)) stream.close(http2.constants.NGHTTP2_CANCEL);
    const finished = (await Promise.all(results)).filter(({ status }) => status === 200);
    assert.ok(finished.length >= 20, `${finished.length} finished`);
    assert.equal((await exchange.request()).status, 200);
  });

  test("a guest that speaks HTTP/1.1 reaches an upstream that speaks HTTP/2 only", async (t) => {
    const seen: (readonly string[])[] = [];
    const exchange = await startHttp2Exchange(t, {
      policy,
      protocol: "http/1.1",
      onStream(stream, _headers, raw) {
        seen.push(raw);
        stream.respond({ ":status": 200, "x-echo": value });
        stream.end(`<${value}>`);
      },
    });
    const received = await exchange.send(
      `POST /a HTTP/1.1\r\nHost: api.example.com\r\nX-Api-Key: ${token}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n`,
    );
    assert.match(received, /^HTTP\/1\.1 200 \r\nx-echo: osb_sealed_a+\r\n/);
    assert.match(received, /<osb_sealed_a+>/);
    assert.equal(fieldOf(seen[0], "x-api-key"), value);
    assert.equal(seen[0]?.includes("transfer-encoding"), false);
  });
});

describe("serveHttp2: refusals", () => {
  const refused: [string, http2.OutgoingHttpHeaders, number, string][] = [
    ["another authority", { ":authority": "other.example.com" }, 421, "host_mismatch"],
    ["another port", { ":authority": "api.example.com:8443" }, 421, "host_mismatch"],
    [
      "a Host that names another place",
      { ":authority": "api.example.com", host: "other.example.com" },
      400,
      "malformed_request",
    ],
    ["another scheme", { ":scheme": "http" }, 400, "malformed_request"],
    ["a fragment", { ":path": "/a#b" }, 400, "malformed_request"],
  ];
  for (const [what, headers, status, code] of refused) {
    test(`refuses ${what}, on its stream alone`, async (t) => {
      const exchange = await startHttp2Exchange(t, {
        policy,
        onStream: (stream) => stream.respond({ ":status": 200 }, { endStream: true }),
      });
      const result = await exchange.request(headers);
      assert.equal(result.status, status);
      assert.equal(JSON.parse(result.body.toString()).code, code);
      assert.equal(exchange.upstream.streams.length, 0);
      assert.equal((await exchange.request()).status, 200);
      const audits = await exchange.audited(2);
      assert.deepEqual(
        audits.map(({ decision }) => decision),
        ["refused", "allowed"],
      );
    });
  }

  test("refuses CONNECT, a host that is not allowed, and what has no session", async (t) => {
    const exchange = await startHttp2Exchange(t, {
      policy: policyOf([], ["api.example.com"]),
      onStream: (stream) => stream.respond({ ":status": 200 }, { endStream: true }),
    });
    const connect = exchange.session.request({
      ":method": "CONNECT",
      ":authority": "api.example.com",
    });
    assert.equal((await resultOf(connect)).status, 405);
    assert.equal((await exchange.request()).status, 403);
    exchange.policy = undefined;
    const refused = await exchange.request({ ":method": "POST" }, Buffer.alloc(100_000));
    assert.equal(refused.status, 403);
    assert.equal(JSON.parse(refused.body.toString()).code, "no_session");
    assert.equal(exchange.upstream.streams.length, 0);
  });

  test("refuses connection-specific fields, and TE other than trailers", async (t) => {
    const seen: (readonly string[])[] = [];
    const exchange = await startHttp2Exchange(t, {
      policy,
      onStream(stream, _headers, raw) {
        seen.push(raw);
        stream.respond({ ":status": 200 }, { endStream: true });
      },
    });
    assert.equal((await exchange.request({ te: "trailers" })).status, 200);
    assert.equal(fieldOf(seen[0], "te"), "trailers");
  });

  test("responds 431 to a head that is too large, and to too many fields", async (t) => {
    const exchange = await startHttp2Exchange(t, { policy, onStream: () => undefined });
    const session = exchange.openSession({ maxSendHeaderBlockLength: 1024 * 1024 });
    assert.equal((await requestOn(session, { "x-long": "v".repeat(66_000) })).status, 431);
    const many = Object.fromEntries(Array.from({ length: 220 }, (_, at) => [`x-${at}`, "v"]));
    assert.equal((await requestOn(session, many)).status, 431);
  });

  test("ends the streams of a guest whose session ends, and those of a guest that closes", async (t) => {
    const exchange = await startHttp2Exchange(t, {
      policy: plain,
      onStream: (stream) => stream.respond({ ":status": 200 }),
    });
    const stream = exchange.session.request();
    await once(stream, "response");
    exchange.session.destroy();
    const [audit] = await exchange.audited(1);
    assert.equal(audit?.reason, "the guest closed the connection before its response was complete");
    const [upstream] = exchange.upstream.streams;
    if (upstream?.destroyed === false) await once(upstream, "close");
  });
});

describe("serveHttp2: breaking off", () => {
  for (const reset of [false, true]) {
    test(`a guest that gives up cancels upstream, ${reset ? "also while it sends" : "after its request"}`, async (t) => {
      const exchange = await startHttp2Exchange(t, {
        policy: plain,
        onStream: (stream) => {
          stream.respond({ ":status": 200 });
          stream.resume();
        },
      });
      const stream = exchange.session.request({ ":method": reset ? "POST" : "GET" });
      await once(stream, "response");
      const [upstream] = exchange.upstream.streams;
      assert.ok(upstream !== undefined);
      const ended = once(upstream, "close");
      stream.close(http2.constants.NGHTTP2_CANCEL);
      await ended;
      assert.notEqual(upstream.rstCode, 0);
      assert.equal((await exchange.audited(1)).length, 1);
      assert.equal(exchange.upstream.sessions.length, 1);
    });
  }

  test("an upstream that resets its stream is no clean end for the guest", async (t) => {
    const exchange = await startHttp2Exchange(t, {
      policy: plain,
      onStream(stream) {
        stream.respond({ ":status": 200 });
        stream.write("part");
        setTimeout(() => stream.destroy(new Error("broken")), 20);
      },
    });
    const result = await exchange.request();
    assert.equal(result.status, 200);
    assert.notEqual(result.resetCode, 0);
    assert.match((await exchange.audited(1))[0]?.reason ?? "", /closed the connection before/);
  });

  test("an upload that a guest breaks off is no clean end for the upstream", async (t) => {
    const exchange = await startHttp2Exchange(t, {
      policy: plain,
      onStream: (s) => void s.resume(),
    });
    const stream = exchange.session.request({ ":method": "PUT" });
    stream.on("error", () => undefined);
    stream.write("part");
    while (exchange.upstream.streams.length === 0) await new Promise((r) => setTimeout(r, 5));
    const [upstream] = exchange.upstream.streams;
    assert.ok(upstream !== undefined);
    let ended = false;
    upstream.on("end", () => {
      ended = upstream.rstCode === 0;
    });
    const closed = new Promise((resolve) => upstream.once("close", resolve));
    stream.destroy(new Error("given up"));
    await closed;
    assert.equal(ended, false);
  });

  test("a session that the upstream closes while idle is replaced", async (t) => {
    const exchange = await startHttp2Exchange(t, {
      policy,
      onStream: (stream) => stream.respond({ ":status": 200 }, { endStream: true }),
    });
    assert.equal((await exchange.request()).status, 200);
    exchange.upstream.sessions[0]?.close();
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal((await exchange.request({ ":method": "POST" }, "a")).status, 200);
    assert.equal(exchange.upstream.sessions.length, 2);
  });

  test("reports an upstream that closes before it responds", async (t) => {
    const exchange = await startHttp2Exchange(t, {
      policy,
      onStream: (stream) => stream.session?.destroy(),
    });
    const result = await exchange.request({ ":method": "POST" }, "a");
    assert.equal(result.status, 502);
    assert.equal(JSON.parse(result.body.toString()).code, "upstream_closed");
  });
});

describe("serveHttp2: what arrives in one segment", () => {
  const requestFields: FieldList = [
    [":method", "POST"],
    [":scheme", "https"],
    [":authority", "api.example.com"],
    [":path", "/"],
  ];

  /** Codes of a stream that is reset: a reset without an error ends no message. */
  const resets = [
    ["NO_ERROR", http2.constants.NGHTTP2_NO_ERROR],
    ["INTERNAL_ERROR", http2.constants.NGHTTP2_INTERNAL_ERROR],
  ] as const;

  for (const [name, code] of resets) {
    for (const isLater of [false, true]) {
      test(`an upload that is reset (${name}), ${isLater ? "later" : "at once"}, is no clean end for the upstream`, async (t) => {
        let ended = false;
        const exchange = await startHttp2Exchange(t, {
          policy,
          onStream(stream) {
            stream.on("end", () => {
              ended = stream.rstCode === http2.constants.NGHTTP2_NO_ERROR;
            });
            stream.resume();
          },
        });
        const socket = exchange.connect();
        const begins = [
          clientBeginning(),
          headersFrame(1, requestFields),
          dataFrame(1, Buffer.from("part")),
        ];
        if (isLater) {
          socket.write(Buffer.concat(begins));
          while (exchange.upstream.streams.length === 0) await new Promise((r) => setTimeout(r, 5));
          socket.write(resetFrame(1, code));
        } else socket.write(Buffer.concat([...begins, resetFrame(1, code)]));
        await exchange.audited(1);
        for (const stream of exchange.upstream.streams) {
          if (!stream.destroyed) await new Promise((resolve) => stream.once("close", resolve));
        }
        assert.equal(ended, false);
      });
    }
  }

  test("trailers of a request are passed on", async (t) => {
    let pass: (trailers: http2.IncomingHttpHeaders) => void = () => undefined;
    const trailers = new Promise<http2.IncomingHttpHeaders>((resolve) => {
      pass = resolve;
    });
    const exchange = await startHttp2Exchange(t, {
      policy,
      onStream(stream) {
        stream.on("trailers", pass);
        stream.resume();
        stream.respond({ ":status": 200 }, { endStream: true });
      },
    });
    exchange
      .connect()
      .write(
        Buffer.concat([
          clientBeginning(),
          headersFrame(1, requestFields),
          dataFrame(1, Buffer.from("body")),
          headersFrame(1, [["x-sum", "1"]], frameFlags.endStream),
        ]),
      );
    assert.equal((await trailers)["x-sum"], "1");
  });

  const response = [settingsFrame([]), headersFrame(1, [[":status", "200"]])];
  for (const protocol of ["h2", "http/1.1"] as const) {
    const send = async (t: TestContext, frames: readonly Buffer[]) => {
      const exchange = await startHttp2Exchange(t, {
        policy,
        protocol,
        dial: async () => Object.assign(respondingOnce(frames), { alpnProtocol: "h2" }),
      });
      if (protocol === "h2") {
        const { status, trailers, body, resetCode } = await exchange.request();
        const text = `${body}${JSON.stringify(trailers)}`;
        return { text, isComplete: status === 200 && resetCode === 0 };
      }
      const text = await exchange.send(
        "GET / HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n",
      );
      const [head = "", ...rest] = text.split("\r\n\r\n");
      const declared = /content-length: (\d+)/i.exec(head)?.[1];
      const isComplete =
        head.startsWith("HTTP/1.1 200") &&
        (declared === undefined
          ? /\r\n0\r\n(?:.+\r\n)*\r\n$/.test(text)
          : Number(declared) === rest.join("\r\n\r\n").length);
      return { text, isComplete };
    };

    test(`trailers of a response are passed on to a guest that speaks ${protocol}`, async (t) => {
      const { text, isComplete } = await send(t, [
        ...response,
        dataFrame(1, Buffer.from("body")),
        headersFrame(1, [["x-sum", value]], frameFlags.endStream),
      ]);
      assert.match(text, /body/);
      assert.match(text, /x-sum"?: ?"?osb_sealed_a+/);
      assert.equal(isComplete, true);
    });

    for (const [name, code] of resets) {
      for (const length of [undefined, "4", "8"]) {
        test(`a response of length ${length} that is reset (${name}) is no complete one for a guest that speaks ${protocol}`, async (t) => {
          const declared: FieldList = length === undefined ? [] : [["content-length", length]];
          const { isComplete } = await send(t, [
            settingsFrame([]),
            headersFrame(1, [[":status", "200"], ...declared]),
            dataFrame(1, Buffer.from("body")),
            resetFrame(1, code),
          ]);
          assert.equal(isComplete, false);
        });
      }
    }

    test(`a response that ends before its stream is reset is complete for a guest that speaks ${protocol}`, async (t) => {
      const { isComplete } = await send(t, [
        ...response,
        dataFrame(1, Buffer.from("body"), frameFlags.endStream),
        resetFrame(1, http2.constants.NGHTTP2_NO_ERROR),
      ]);
      assert.equal(isComplete, true);
    });
  }

  /** An upstream that sends these frames in one piece, once it has a request. */
  function respondingOnce(frames: readonly Buffer[]): Duplex {
    let received = Buffer.alloc(0);
    let hasResponded = false;
    const socket = new Duplex({
      read: () => undefined,
      write(bytes: Buffer, _encoding, done) {
        received = Buffer.concat([received, bytes]);
        const streams = readFrames(received.subarray(connectionPreface.length));
        if (!hasResponded && streams.some(({ stream }) => stream === 1)) {
          hasResponded = true;
          socket.push(Buffer.concat(frames));
        }
        done();
      },
    });
    return socket;
  }
});

describe("serveHttp2: guesses", () => {
  test("a guest receives the same for two values that do not occur completely", async (t) => {
    const random = createSeededRandom(9113);
    for (let round = 0; round < 6; round += 1) {
      const pair =
        round % 2 === 0 ? randomPair(random, "token") : neighbouringPair(random, "token");
      const body = nearMisses(random, pair);
      const parts = splitAtRandom(body, 400, random);
      const see = async (secret: string) => {
        const exchange = await startHttp2Exchange(t, {
          policy: policyOf([secretOf("KEY", "a", secret)]),
          onStream(stream) {
            stream.respond(
              { ":status": 200, date: "Sun, 06 Nov 1994 08:49:37 GMT" },
              { waitForTrailers: true },
            );
            stream.on("wantTrailers", () => stream.sendTrailers({ "x-sum": "1" }));
            for (const part of parts) stream.write(part);
            stream.end();
          },
        });
        const { status, raw, body, trailers, resetCode } = await exchange.request();
        const { redacted } = (await exchange.audited(1))[0] ?? assert.fail();
        return { status, raw, body: body.toString("latin1"), trailers, resetCode, redacted };
      };
      const seen = await see(pair.value);
      assert.deepEqual(seen, await see(pair.other), JSON.stringify(pair));
      assert.equal(seen.body, body.toString("latin1"));
    }
  });
});

describe("serveHttp2: bounds", () => {
  test("refuses streams beyond those of all of a sandbox's connections", async (t) => {
    const exchange = await startHttp2Exchange(t, {
      policy: plain,
      options: { streamsPerSandboxMax: 4 },
      onStream: (stream) => stream.respond({ ":status": 200 }),
    });
    const open: http2.ClientHttp2Stream[] = [];
    for (let at = 0; at < 2; at += 1) {
      const session = exchange.openSession();
      open.push(session.request(), session.request());
    }
    await Promise.all(open.map((stream) => once(stream, "response")));
    const beyond = await requestOn(exchange.openSession(), {});
    assert.equal(beyond.status, undefined);
    assert.equal(beyond.resetCode, http2.constants.NGHTTP2_REFUSED_STREAM);
    open[0]?.close(http2.constants.NGHTTP2_CANCEL);
    await exchange.audited(1);
    const another = exchange.openSession().request();
    await once(another, "response");
  });

  test("counts a stream whose response the guest does not take", async (t) => {
    const exchange = await startHttp2Exchange(t, {
      policy: { ...plain, refusalFor: () => "no" },
      options: { streamsPerSandboxMax: 4 },
    });
    const settings = { initialWindowSize: 0 };
    const session = exchange.openSession({ settings });
    const unread = Array.from({ length: 4 }, () => session.request());
    for (const stream of unread) stream.on("error", () => undefined);
    await exchange.audited(4);
    const beyond = await requestOn(exchange.openSession(), {});
    assert.equal(beyond.resetCode, http2.constants.NGHTTP2_REFUSED_STREAM);
    const closed = once(session, "close");
    session.destroy();
    await closed;
    for (let status: number | undefined; status !== 403; ) {
      status = (await requestOn(exchange.openSession(), {})).status;
    }
  });

  test("counts no stream any more that was reset as it arrived", async (t) => {
    const exchange = await startHttp2Exchange(t, {
      policy: { ...plain, refusalFor: () => "no" },
      options: { streamsPerSandboxMax: 1 },
    });
    const guest = exchange.connect();
    guest.resume();
    guest.write(clientBeginning());
    const fields: FieldList = [
      [":method", "GET"],
      [":scheme", "https"],
      [":authority", "api.example.com"],
      [":path", "/"],
    ];
    for (let stream = 1; stream < 80; stream += 2) {
      const reset = resetFrame(stream, http2.constants.NGHTTP2_CANCEL);
      guest.write(Buffer.concat([headersFrame(stream, fields, frameFlags.endStream), reset]));
      if (stream % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    for (let status: number | undefined; status !== 403; ) {
      status = (await requestOn(exchange.openSession(), {})).status;
    }
  });

  test("refuses streams beyond those of one connection", async (t) => {
    const exchange = await startHttp2Exchange(t, {
      policy: plain,
      onStream: (stream) => stream.respond({ ":status": 200 }),
    });
    await once(exchange.session, "remoteSettings");
    const open = Array.from({ length: 101 }, () => exchange.session.request());
    for (const stream of open) stream.on("error", () => undefined);
    let responses = 0;
    for (const stream of open) stream.on("response", () => (responses += 1));
    await Promise.all(open.slice(0, 100).map((stream) => once(stream, "response")));
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(responses, 100);
    assert.equal(exchange.upstream.streams.length, 100);
  });

  test("a guest that resets streams rapidly loses its connection", async (t) => {
    const exchange = await startHttp2Exchange(t, {
      policy: plain,
      options: { streamResetsMax: 30 },
      onStream: (stream) => void stream.resume(),
    });
    const { session } = exchange;
    const closed = new Promise((resolve) => session.once("close", resolve));
    for (let count = 0; count < 200 && !session.destroyed; count += 1) {
      const stream = session.request();
      stream.on("error", () => undefined);
      await new Promise((resolve) => setImmediate(resolve));
      stream.close(http2.constants.NGHTTP2_CANCEL);
    }
    await closed;
  });

  test("a head beyond all bounds is reset as it arrives", async (t) => {
    const exchange = await startHttp2Exchange(t, { policy, onStream: () => undefined });
    const session = exchange.openSession({ maxSendHeaderBlockLength: 1024 * 1024 });
    const huge = Object.fromEntries(
      Array.from({ length: 20 }, (_, at) => [`x-${at}`, "v".repeat(20_000)]),
    );
    const result = await requestOn(session, huge);
    assert.equal(result.status, undefined);
    assert.notEqual(result.resetCode, 0);
  });

  test("refuses a response after more bytes of interim ones than a head may have", async (t) => {
    const exchange = await startHttp2Exchange(t, {
      policy,
      onStream(stream) {
        for (let at = 0; at < 40; at += 1) {
          stream.additionalHeaders({ ":status": 103, link: "v".repeat(4000) });
        }
      },
    });
    const result = await exchange.request();
    assert.equal(result.status, 502);
    assert.equal(JSON.parse(result.body.toString()).code, "upstream_malformed");
    assert.ok(result.interim.length > 0 && result.interim.length < 20);
  });
});
