import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import { describe, test } from "node:test";
import { policyOf, secretOf, tokenOf } from "../testing/http-policy.ts";
import {
  resultOf,
  type StreamListener,
  startHttp2Exchange,
} from "../testing/http2-exchange-fixture.ts";

const value = "sk-Q7v2mX9Lp4ZtW8cKdR3";
const token = tokenOf("a");
const policy = policyOf([secretOf("KEY", "a", value)]);
const call = {
  ":method": "POST",
  ":path": "/echo.Echo/Stream",
  "content-type": "application/grpc+proto",
  te: "trailers",
};

function messageOf(payload: string | Buffer, flags = 0): Buffer {
  const bytes = Buffer.from(payload);
  const prefix = Buffer.alloc(5);
  prefix[0] = flags;
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}

/** Echoes what arrives, and ends with a status. */
const echo: StreamListener = (stream) => {
  stream.respond(
    { ":status": 200, "content-type": "application/grpc+proto" },
    { waitForTrailers: true },
  );
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0", "x-echo": value }));
  stream.pipe(stream);
};

/** Responds with these bytes, and a status. */
const responding =
  (...parts: readonly Buffer[]): StreamListener =>
  (stream) => {
    stream.respond(
      { ":status": 200, "content-type": "application/grpc" },
      { waitForTrailers: true },
    );
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    for (const part of parts) stream.write(part);
    stream.end();
  };

describe("gRPC", () => {
  test("streams messages in both directions, one after the other, and redacts trailers", async (t) => {
    const exchange = await startHttp2Exchange(t, { policy, onStream: echo });
    const stream = exchange.session.request(call, { endStream: false });
    let trailers: http2.IncomingHttpHeaders = {};
    stream.on("trailers", (received) => {
      trailers = received;
    });
    // Each ends in bytes that a value or a token could go on from.
    for (const text of ["one", "sk-Q7v2mX9Lp4", "osb_seal", ""]) {
      const message = messageOf(text);
      stream.write(message);
      let received = Buffer.alloc(0);
      while (received.length < message.length) {
        const [part] = await once(stream, "data");
        received = Buffer.concat([received, part]);
      }
      assert.deepEqual(received, message);
    }
    stream.end();
    await once(stream, "close");
    assert.equal(trailers["grpc-status"], "0");
    assert.equal(trailers["x-echo"], token);
    assert.deepEqual((await exchange.audited(1))[0]?.redacted, ["KEY"]);
  });

  test("substitutes in metadata, and leaves a token in a message as it is", async (t) => {
    const seen: http2.IncomingHttpHeaders[] = [];
    const exchange = await startHttp2Exchange(t, {
      policy,
      onStream(stream, headers, raw) {
        seen.push(headers);
        echo(stream, headers, raw);
      },
    });
    const message = messageOf(`<${token}>`);
    const result = await exchange.request(
      { ...call, authorization: `Bearer ${token}`, "grpc-accept-encoding": "gzip" },
      message,
    );
    assert.deepEqual(result.body, message);
    assert.equal(seen[0]?.["authorization"], `Bearer ${value}`);
    assert.equal(seen[0]?.["te"], "trailers");
    assert.equal(seen[0]?.["grpc-accept-encoding"], "identity");
    const [audit] = await exchange.audited(1);
    assert.deepEqual(audit?.substituted, ["KEY"]);
    assert.deepEqual(audit?.withheld, [{ name: "KEY", place: "body" }]);
  });

  test("passes a response of trailers only", async (t) => {
    const exchange = await startHttp2Exchange(t, {
      policy,
      onStream: (stream) =>
        stream.respond(
          {
            ":status": 200,
            "content-type": "application/grpc",
            "grpc-status": "16",
            "grpc-message": `bad ${value}`,
          },
          { endStream: true },
        ),
    });
    const result = await exchange.request(call, messageOf("a"));
    assert.equal(result.headers["grpc-status"], "16");
    assert.equal(result.headers["grpc-message"], `bad ${token}`);
    assert.equal(result.headers["content-length"], undefined);
    assert.equal(result.resetCode, 0);
  });

  test("ends a response with a status where a message holds a value", async (t) => {
    const bytes = Buffer.concat([messageOf("first"), messageOf(`<${value}>`), messageOf("third")]);
    for (const cut of [bytes.length, 3, 20, 30]) {
      const exchange = await startHttp2Exchange(t, {
        policy,
        onStream: responding(bytes.subarray(0, cut), bytes.subarray(cut)),
      });
      const result = await exchange.request(call, messageOf("a"));
      assert.equal(result.body.includes(value), false);
      assert.ok(result.body.length <= bytes.length - messageOf("third").length - value.length);
      assert.equal(result.trailers?.["grpc-status"], "14");
      assert.match(String(result.trailers?.["grpc-message"]), /holds the value of a secret/);
      const [audit] = await exchange.audited(1);
      assert.deepEqual(audit?.redacted, ["KEY"]);
      assert.match(audit?.reason ?? "", /holds the value of a secret/);
    }
  });

  const unsearchable: [string, Buffer, RegExp][] = [
    ["a compressed message", messageOf("abc", 1), /compressed gRPC message/],
    ["a body that is no gRPC", Buffer.from("plain text"), /not framed as gRPC/],
  ];
  for (const [what, body, reason] of unsearchable) {
    test(`refuses ${what} where there is a value to search for, and passes it otherwise`, async (t) => {
      const onStream = responding(body);
      const searched = await startHttp2Exchange(t, { policy, onStream });
      const refused = await searched.request(call, messageOf("a"));
      assert.equal(refused.body.includes(body), false);
      assert.match(String(refused.trailers?.["grpc-message"]), reason);
      const unsearched = await startHttp2Exchange(t, { policy: policyOf([]), onStream });
      assert.deepEqual((await unsearched.request(call, messageOf("a"))).body, body);
    });
  }

  test("reports a refusal in a way that clients show", async (t) => {
    const exchange = await startHttp2Exchange(t, {
      policy: policyOf([], ["api.example.com"]),
      onStream: echo,
    });
    const result = await exchange.request(call, messageOf("a"));
    assert.equal(result.status, 200);
    assert.equal(result.headers["grpc-status"], "7");
    assert.equal(result.headers["grpc-message"], "egress to api.example.com is not allowed");
    const [audit] = await exchange.audited(1);
    assert.equal(audit?.status, 403);
    assert.equal(audit?.decision, "refused");
    assert.equal(exchange.upstream.streams.length, 0);
  });

  test("a deadline of the guest ends the call upstream", async (t) => {
    const exchange = await startHttp2Exchange(t, { policy, onStream: (s) => void s.resume() });
    const stream = exchange.session.request(call, { endStream: false });
    const result = resultOf(stream);
    stream.write(messageOf("a"));
    while (exchange.upstream.streams.length === 0) await new Promise((r) => setTimeout(r, 5));
    const [upstream] = exchange.upstream.streams;
    const closed = new Promise((resolve) => upstream?.once("close", resolve));
    stream.close(http2.constants.NGHTTP2_CANCEL);
    await closed;
    await result;
    assert.equal((await exchange.audited(1)).length, 1);
  });
});
