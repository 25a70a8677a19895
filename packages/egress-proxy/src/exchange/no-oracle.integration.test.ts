import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { tokenOf } from "../testing/http-policy.ts";
import { splitAtRandom } from "../testing/http-split.ts";
import {
  codings,
  compressedRequestScript,
  framings,
  isCompression,
  type ResponseShape,
  requestOf,
  responseOf,
  responseScript,
  webSocketScript,
} from "../testing/response-scripts.ts";
import { runScript, type Script, type Step } from "../testing/scripted-exchange.ts";
import {
  assertSameUnderBoth,
  laterValue,
  policiesFor,
  see,
} from "../testing/scripted-observation.ts";
import { createSeededRandom } from "../testing/seeded-random.ts";
import { neighbouringPair, randomPair } from "../testing/value-pairs.ts";
import { spell, spellingNames } from "../testing/value-spellings.ts";
import { holdsWhole } from "../testing/whole-value-oracle.ts";
import { frameOf } from "../websocket/testing/web-socket-frames.ts";

const token = tokenOf("a");

describe("what a guest observes is the same for two values that do not occur completely", () => {
  for (const framing of framings) {
    for (const coding of codings) {
      test(`${framing} responses, ${coding}`, async () => {
        const random = createSeededRandom(
          401 + framings.indexOf(framing) * 10 + codings.indexOf(coding),
        );
        for (let round = 0; round < (coding === "identity" ? 50 : 6); round += 1) {
          const makePair = random.below(3) === 0 ? neighbouringPair : randomPair;
          const pair = makePair(random, random.pick(["token", "text"]));
          const shape: ResponseShape = {
            framing,
            coding,
            guestMinorVersion: random.below(4) === 0 ? 0 : 1,
            hasBudget: random.below(4) > 0,
          };
          const script = responseScript(random, pair, token, shape);
          await assertSameUnderBoth(script, pair, `round ${round}`);
        }
      });
    }
  }

  test("one of 10,000 values", async () => {
    const random = createSeededRandom(480);
    const many = Array.from({ length: 9_999 }, () => random.bytes(20).toString("base64url"));
    const pair = randomPair(random, "token");
    const shape = {
      framing: "chunked",
      coding: "identity",
      guestMinorVersion: 1,
      hasBudget: true,
    } as const;
    await assertSameUnderBoth(responseScript(random, pair, token, shape), pair, "one run", many);
  });

  test("compressed requests", async () => {
    const random = createSeededRandom(490);
    for (let round = 0; round < 30; round += 1) {
      const pair = randomPair(random, random.pick(["token", "text"]));
      const script = compressedRequestScript(random, pair, token);
      await assertSameUnderBoth(script, pair, `round ${round}`);
    }
  });

  test("frames of a WebSocket", async () => {
    const random = createSeededRandom(470);
    for (let round = 0; round < 60; round += 1) {
      const pair = randomPair(random, random.pick(["token", "text"]));
      await assertSameUnderBoth(webSocketScript(random, pair, token), pair, `round ${round}`);
    }
  });
});

const key = "sk-ant/api03+qT7vX2mLp9ZrW4cKd8HsNf3bYg6JuEaR";

function scriptOf(steps: readonly Step[], decompresses = false): Script {
  return { steps, budgetBytes: 16 * 1024 * 1024, decompresses };
}

function sent(bytes: Buffer): Step {
  return { at: "upstream", does: "sends", bytes };
}

/** What the guest receives while an upstream sends these parts. */
async function receive(parts: readonly Buffer[], more: readonly Step[], minorVersion: 0 | 1 = 1) {
  const steps = [requestOf(token, minorVersion), ...parts.map(sent), ...more];
  const { received } = await runScript(scriptOf(steps), policiesFor(key, laterValue).policies);
  return received;
}

/** The body of a response, out of its chunks. */
function bodyIn(received: Buffer): string {
  const text = received.toString("latin1");
  const start = text.indexOf("\r\n\r\n") + 4;
  if (!/^transfer-encoding: chunked/im.test(text.slice(0, start))) return text.slice(start);
  let body = "";
  for (let at = start; at < text.length; ) {
    const lineEnd = text.indexOf("\r\n", at);
    const bytes = Number.parseInt(text.slice(at, lineEnd), 16);
    body += text.slice(lineEnd + 2, lineEnd + 2 + bytes);
    at = lineEnd + 4 + bytes;
    if (bytes === 0) break;
  }
  return body;
}

/** No four bytes of the value in a row. */
function assertNothingOf(value: string, received: Buffer, note: string): void {
  for (let at = 0; at + 4 <= value.length; at += 1) {
    assert.equal(received.includes(value.slice(at, at + 4)), false, note);
  }
}

const ends: readonly Step[] = [{ at: "upstream", does: "ends" }];

describe("a value that occurs completely becomes its token", () => {
  test("which the comparison detects in every kind of response", async () => {
    const random = createSeededRandom(501);
    const pair = randomPair(random, "token");
    for (const framing of framings) {
      for (const coding of codings) {
        const body = Buffer.from(`[${pair.value}]`);
        const response = responseOf(body, { framing, coding }, random);
        const script = scriptOf(
          [requestOf(token, 1), sent(response), ...ends],
          isCompression(coding),
        );
        const one = await see(script, pair.value);
        const two = await see(script, pair.other);
        assert.notDeepEqual(one.events, two.events, `${framing}, ${coding}`);
      }
    }
  });

  for (const framing of framings) {
    test(`in ${framing} responses, however they are split`, async () => {
      const random = createSeededRandom(502 + framings.indexOf(framing));
      for (const name of spellingNames) {
        const filler = Buffer.from(framing === "long" ? "<p>words</p>\n".repeat(200) : "<p>");
        const body = Buffer.concat([
          filler,
          Buffer.from("\n"),
          spell(name, key),
          Buffer.from("\n</p>\n"),
        ]);
        const response = responseOf(body, { framing, coding: "identity" }, random);
        const minorVersion = random.pick([0, 1] as const);
        const expected = bodyIn(await receive([response], ends, minorVersion));
        assert.ok(expected.includes(token), name);
        for (const partMax of [3, 40]) {
          const from = response.length - body.length;
          const cut = splitAtRandom(response.subarray(Math.max(0, from)), partMax, random);
          const parts = [response.subarray(0, Math.max(0, from)), ...cut].filter(
            ({ length }) => length > 0,
          );
          const bounded = framing === "long" ? splitAtRandom(response, 300, random) : parts;
          const received = await receive(
            bounded.filter(({ length }) => length > 0),
            ends,
            minorVersion,
          );
          assert.equal(bodyIn(received), expected, `${name}: ${parts.map(({ length }) => length)}`);
        }
      }
    });
  }

  test("split at every byte, and nothing held back is sent after a truncation there", async () => {
    const random = createSeededRandom(510);
    for (const framing of ["chunked", "close"] as const) {
      const response = responseOf(
        Buffer.from(`ok ${key}`),
        { framing, coding: "identity" },
        random,
      );
      const whole = bodyIn(await receive([response], ends));
      assert.equal(whole, `ok ${token}`);
      const broken: readonly (readonly Step[])[] = [
        [{ at: "upstream", does: "resets" }],
        [{ at: "clock", milliseconds: 9000 }],
        [
          { at: "clock", milliseconds: 300 },
          { at: "guest", does: "resets" },
        ],
        ...(framing === "chunked" ? [ends] : []),
      ];
      const from = response.indexOf("\r\n\r\n") + 4;
      for (let cut = from; cut < response.length; cut += 1) {
        const parts = [response.subarray(0, cut), response.subarray(cut)];
        assert.equal(bodyIn(await receive(parts, ends)), whole, `${framing} cut at ${cut}`);
        for (const steps of broken) {
          if (framing === "chunked" && cut > response.indexOf("\r\n0\r\n")) continue;
          const received = await receive([response.subarray(0, cut)], steps);
          assertNothingOf(key, received, `${framing} broken off at ${cut}`);
        }
      }
    }
  });

  test("across the proxy's buffers, while the guest does not read", async () => {
    const random = createSeededRandom(511);
    const filler = "z".repeat(40_000);
    for (let at = 0; at <= key.length; at += 1) {
      const body = Buffer.from(`${filler}${key}${filler}\n`);
      const response = responseOf(body, { framing: "close", coding: "identity" }, random);
      const cut = response.length - body.length + filler.length + at;
      const steps: Step[] = [
        requestOf(token, 1),
        { at: "guest", does: "stalls" },
        sent(response.subarray(0, cut)),
        { at: "clock", milliseconds: 2000 },
        { at: "guest", does: "continues" },
        sent(response.subarray(cut)),
        ...ends,
      ];
      const { received } = await runScript(scriptOf(steps), policiesFor(key, laterValue).policies);
      assert.equal(bodyIn(received), `${filler}${token}${filler}\n`, `at ${at}`);
    }
  });

  test("in messages of a WebSocket, in frames split anywhere", async () => {
    const random = createSeededRandom(512);
    for (const name of spellingNames) {
      const parts = splitAtRandom(spell(name, `<${key}>`), 9, random);
      const frames = [...parts, Buffer.alloc(0)].map((payload, at) =>
        frameOf({ opcode: at === 0 ? 1 : 0, payload, isFinal: at === parts.length }, "upstream"),
      );
      const head = Buffer.from(
        "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
      );
      const request = Buffer.from(
        "GET / HTTP/1.1\r\nHost: api.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
      );
      const arrivals = splitAtRandom(Buffer.concat(frames), 30, random).filter(
        ({ length }) => length > 0,
      );
      const steps: Step[] = [
        { at: "guest", does: "sends", bytes: request },
        ...[head, ...arrivals].map(sent),
        ...ends,
      ];
      const { received } = await runScript(scriptOf(steps), policiesFor(key, laterValue).policies);
      assert.ok(received.includes(token), name);
      assert.equal(holdsWhole(received, key), false, name);
    }
  });

  test("in a compressed page, with the same writes for right and wrong guesses next to it", async () => {
    const random = createSeededRandom(513);
    const wrong = randomPair(random, "token").other.padEnd(12, "x");
    const seeGuess = async (guess: string) => {
      const filler = "<p>some words</p>\n".repeat(400);
      const body = Buffer.from(`key=${guess}\n${filler}\nAuthorization: ${key}\n${filler}`);
      const response = responseOf(body, { framing: "close", coding: "gzip" }, random);
      const parts: Buffer[] = [];
      for (let at = 0; at < response.length; at += 40) parts.push(response.subarray(at, at + 40));
      const steps = [requestOf(token, 1), ...parts.map(sent), ...ends];
      const { events, received } = await runScript(
        scriptOf(steps, true),
        policiesFor(key, laterValue).policies,
      );
      assert.ok(received.includes(token));
      return {
        compressedBytes: response.length,
        writes: events
          .filter((event) => event.includes("guest is sent"))
          .map(({ length }) => length),
      };
    };
    for (let right = 4; right <= 12; right += 2) {
      const good = await seeGuess(key.slice(0, right).padEnd(12, wrong.slice(0, 12)));
      const bad = await seeGuess(wrong.slice(0, 12));
      assert.deepEqual(good.writes, bad.writes);
    }
    const distant = await seeGuess(key.slice(0, 12));
    assert.notEqual(distant.compressedBytes, (await seeGuess(wrong.slice(0, 12))).compressedBytes);
  });
});
