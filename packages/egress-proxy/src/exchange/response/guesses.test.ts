import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { describe, type TestContext, test } from "node:test";
import {
  type ExchangeFixture,
  type ExchangeFixtureOptions,
  startExchange,
} from "../../testing/http-exchange-fixture.ts";
import { policyOf, secretOf, tokenOf } from "../../testing/http-policy.ts";
import { inChunks, rawUpstream, withLength } from "../../testing/http-raw-upstream.ts";
import { bodyOf, readChunked, splitResponse } from "../../testing/http-response-text.ts";

const value = "a/b&c+d=Q7v2mX9Lp4ZtW8cKdR3";
const token = tokenOf("a");
const get = "GET / HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n";

async function start(t: TestContext, options: ExchangeFixtureOptions): Promise<ExchangeFixture> {
  const exchange = await startExchange(options);
  t.after(() => exchange.close());
  return exchange;
}

describe("a guess at a value", () => {
  /**
   * What the guest received. Each part arrives at the proxy for itself, so the
   * chunks show what left with which part, and what was held.
   */
  async function observe(
    t: TestContext,
    parts: readonly Buffer[],
    allowed: boolean,
  ): Promise<string> {
    const policy = policyOf([secretOf("KEY", "a", value, allowed ? [] : ["other.example"])]);
    const exchange = await start(t, {
      policy,
      dial: () => Promise.resolve(upstreamOf(parts)),
    });
    return await exchange.send(get);
  }

  function upstreamOf(parts: readonly Buffer[]): Duplex {
    const left = [...parts];
    const sendNext = (): void => {
      const part = left.shift();
      if (part === undefined) return;
      socket.push(part);
      setImmediate(() => setImmediate(sendNext));
    };
    const socket = new Duplex({
      read: () => undefined,
      write(_bytes, _encoding, done) {
        setImmediate(sendNext);
        done();
      },
    });
    return socket;
  }

  /** Lengths of the chunks, or of the whole where there are none. */
  function shapeOf(received: string): readonly number[] {
    const { head, body } = splitResponse(received);
    if (!/transfer-encoding: chunked/i.test(head)) return [body.length];
    return readChunked(body).chunks.map((chunk) => chunk.length);
  }

  const spellings = [
    (text: string) => text,
    (text: string) => Buffer.from(text).toString("hex"),
    (text: string) => Buffer.from(text).toString("hex").replace(/../g, "%$&"),
  ];
  const agreeing = [0, 1, 8, value.length - 2, value.length - 1];
  const events = "Content-Type: text/event-stream\r\n";
  const shapes: [string, (guess: string) => Buffer[]][] = [
    ["in a chunk, and a line break in the next", (guess) => inChunks([guess, "\n", "end"])],
    ["at the end of a chunk, and then nothing", (guess) => inChunks([`text ${guess}`, "!"])],
    ["cut in two", (guess) => inChunks([guess.slice(0, 9), guess.slice(9), " end"])],
    ["in a body with a length", (guess) => [withLength(`${"x".repeat(3000)} ${guess}`)]],
    ["in an event", (guess) => inChunks([`data: ${guess}\n\n`, "data: two\n\n"], events)],
  ];
  for (const [name, parts] of shapes) {
    for (const allowed of [true, false]) {
      const where = `at a host that may ${allowed ? "" : "not "}receive it`;
      test(`${name}, ${where}: right or wrong, the same bytes are sent with the same parts`, async (t) => {
        const guesses = agreeing.map((count) => value.slice(0, count).padEnd(value.length, "~"));
        const observed = await Promise.all(
          spellings.map((spell) =>
            Promise.all(guesses.map((guess) => observe(t, parts(spell(guess)), allowed))),
          ),
        );
        for (const ofSpelling of observed) {
          const [first] = ofSpelling;
          assert.ok(first !== undefined);
          for (const received of ofSpelling) {
            assert.deepEqual(shapeOf(received), shapeOf(first));
            assert.ok(!received.includes(token));
          }
        }
      });
    }
  }

  test("each event of a stream is sent with its own part", async (t) => {
    const sent = ["data: one\n\n", "data: two\n\n"];
    const received = await observe(t, inChunks(sent, events), true);
    assert.deepEqual(readChunked(bodyOf(received)).chunks, sent);
  });
});

describe("values that can be guessed", () => {
  test("pass unchanged, and cost a response nothing", async (t) => {
    const guessable = [
      "48213975",
      "hunter2",
      "2024-11-30",
      "correct horse battery",
      "localhost:8080",
    ];
    const policy = policyOf(
      guessable.map((each, at) => secretOf(`KEY_${at}`, "abcde"[at] ?? "f", each)),
    );
    const numbers = Array.from({ length: 2000 }, (_, at) => String(48_213_000 + at)).join(",");
    const text = `${numbers} ${guessable.join(" ")}`;
    const exchange = await start(t, { policy, ...rawUpstream([withLength(text)]) });
    assert.equal(bodyOf(await exchange.send(get)), text);
    assert.deepEqual(exchange.audits[0]?.redacted, []);
  });

  test("pass next to one that cannot", async (t) => {
    const policy = policyOf([secretOf("PIN", "b", "48213975"), secretOf("KEY", "a", value)]);
    const exchange = await start(t, { policy, ...rawUpstream([withLength(`48213975 ${value}`)]) });
    assert.equal(bodyOf(await exchange.send(get)), `48213975 ${token}`);
  });

  test("of a URL only the password is redacted, wherever it occurs", async (t) => {
    const password = "Q7v2mX9Lp4ZtW8cKdR3";
    const policy = policyOf([secretOf("DSN", "a", `postgres://app:${password}@db.example/app`)]);
    const exchange = await start(t, {
      policy,
      ...rawUpstream([withLength(`postgres://app@db.example/app and ${password}`)]),
    });
    assert.equal(bodyOf(await exchange.send(get)), `postgres://app@db.example/app and ${token}`);
  });
});
