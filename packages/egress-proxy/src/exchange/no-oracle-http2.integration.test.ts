import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { tokenOf } from "../testing/http-policy.ts";
import {
  dataFrame,
  type FieldList,
  frameFlags,
  frameTypes,
  headersFrame,
  readFrames,
  settingsFrame,
} from "../testing/http2-frames.ts";
import {
  grpcScript,
  http2ResponseOf,
  http2ResponseScript,
  http2WebSocketScript,
} from "../testing/http2-response-scripts.ts";
import {
  type Coding,
  codings,
  compressedRequestScript,
  compressions,
  framings,
  http2RequestOf,
  isCompression,
  type ResponseShape,
  requestOf,
  responseOf,
  responseScript,
} from "../testing/response-scripts.ts";
import { runScript, type Script, type Step } from "../testing/scripted-exchange.ts";
import {
  assertSameUnderBoth,
  laterValue,
  policiesFor,
  see,
} from "../testing/scripted-observation.ts";
import { createSeededRandom, type SeededRandom } from "../testing/seeded-random.ts";
import { neighbouringPair, randomPair, type ValuePair } from "../testing/value-pairs.ts";
import type { Protocol } from "../upstream/upstream-protocols.ts";
import { frameOf } from "../websocket/testing/web-socket-frames.ts";

const token = tokenOf("a");

const sides: readonly { readonly guest: Protocol; readonly upstream: Protocol }[] = [
  { guest: "h2", upstream: "h2" },
  { guest: "h2", upstream: "http/1.1" },
  { guest: "http/1.1", upstream: "h2" },
];

function anyPair(random: SeededRandom): ValuePair {
  const makePair = random.below(3) === 0 ? neighbouringPair : randomPair;
  return makePair(random, random.pick(["token", "text"]));
}

describe("over HTTP/2, what a guest observes is the same for two values that do not occur completely", () => {
  for (const [at, { guest, upstream }] of sides.entries()) {
    for (const coding of codings) {
      test(`a guest that speaks ${guest} and an upstream that speaks ${upstream}, ${coding}`, async () => {
        const random = createSeededRandom(600 + at * 10 + codings.indexOf(coding));
        for (let round = 0; round < (coding === "identity" ? 50 : 6); round += 1) {
          const pair = anyPair(random);
          const shape: ResponseShape = {
            ...{ guest, coding, framing: random.pick(framings) },
            ...{ guestMinorVersion: 1, hasBudget: random.below(4) > 0 },
          };
          const script =
            upstream === "h2"
              ? http2ResponseScript(random, pair, token, { ...shape, guest })
              : responseScript(random, pair, token, shape);
          await assertSameUnderBoth(script, pair, `round ${round}`);
        }
      });
    }
  }

  for (const guest of ["h2", "http/1.1"] as const) {
    test(`frames of a WebSocket of a guest that speaks ${guest}`, async () => {
      const random = createSeededRandom(630 + guest.length);
      for (let round = 0; round < 25; round += 1) {
        const pair = anyPair(random);
        const script = http2WebSocketScript(random, pair, token, guest);
        await assertSameUnderBoth(script, pair, `round ${round}`);
      }
    });
  }

  test("compressed requests", async () => {
    const random = createSeededRandom(641);
    for (let round = 0; round < 30; round += 1) {
      const pair = anyPair(random);
      const script = compressedRequestScript(random, pair, token, "h2");
      await assertSameUnderBoth(script, pair, `round ${round}`);
    }
  });

  test("messages of gRPC", async () => {
    const random = createSeededRandom(640);
    for (let round = 0; round < 50; round += 1) {
      const pair = anyPair(random);
      await assertSameUnderBoth(grpcScript(random, pair, token), pair, `round ${round}`);
    }
  });
});

/** Where the value occurs in a response, and the response of either version of HTTP. */
const places: readonly [string, (text: string) => Parameters<typeof http2ResponseOf>[1]][] = [
  ["body", (text) => ({ body: Buffer.from(text), hasLength: false })],
  ["body of a declared length", (text) => ({ body: Buffer.from(text), hasLength: true })],
  ["field", (text) => ({ body: Buffer.from("a"), hasLength: true, fields: [["x-echo", text]] })],
  [
    "trailer",
    (text) => ({ body: Buffer.from("a"), hasLength: false, trailers: [["x-sum", text]] }),
  ],
  [
    "interim response",
    (text) => ({ body: Buffer.from("a"), hasLength: true, interim: [[["link", text]]] }),
  ],
];

function scriptOf(
  { guest, upstream }: { readonly guest: Protocol; readonly upstream: Protocol },
  response: Buffer,
  coding: Coding = "identity",
): Script {
  const steps: Step[] = [
    guest === "h2" ? http2RequestOf(token) : requestOf(token, 1),
    { at: "upstream", does: "sends", bytes: response },
    { at: "upstream", does: "ends" },
  ];
  const decompresses = isCompression(coding);
  return { steps, budgetBytes: 16 * 1024 * 1024, decompresses, guest, upstream };
}

describe("over HTTP/2, a value that occurs completely in a message of a WebSocket", () => {
  for (const guest of ["h2", "http/1.1"] as const) {
    test(`is detected by the comparison, for a guest that speaks ${guest}`, async () => {
      const random = createSeededRandom(652);
      const pair = randomPair(random, "token");
      const script = http2WebSocketScript(random, pair, token, guest);
      const message = frameOf({ opcode: 1, payload: `[${pair.value}]` }, "upstream");
      const [request, settings] = script.steps;
      assert.ok(request !== undefined && settings !== undefined);
      const response = Buffer.concat([
        headersFrame(1, [[":status", "200"]]),
        dataFrame(1, message),
        dataFrame(1, Buffer.alloc(0), frameFlags.endStream),
      ]);
      const steps: Step[] = [request, settings, { at: "upstream", does: "sends", bytes: response }];
      const one = await see({ ...script, steps }, pair.value);
      assert.notDeepEqual(one.events, (await see({ ...script, steps }, pair.other)).events);
      assert.match(one.audits[0] ?? "", /"redacted":\["KEY"\]/);
    });
  }
});

describe("over HTTP/2, a guess at a value", () => {
  const value = "a/b&c+d=Q7v2mX9Lp4ZtW8cKdR3";
  const events: FieldList = [["content-type", "text/event-stream"]];
  const shapes: [string, FieldList, (guess: string) => readonly string[]][] = [
    ["in a frame, and a line break in the next", [], (guess) => [guess, "\n", "end"]],
    ["at the end of a frame", [], (guess) => [`text ${guess}`, "!"]],
    ["cut in two", [], (guess) => [guess.slice(0, 9), guess.slice(9), " end"]],
    ["behind much text", [], (guess) => [`${"x".repeat(3000)} ${guess}`, "."]],
    ["in an event", events, (guess) => [`data: ${guess}\n\n`, "data: two\n\n"]],
  ];
  const spellings = [
    (text: string) => text,
    (text: string) => Buffer.from(text).toString("hex"),
    (text: string) => Buffer.from(text).toString("hex").replace(/../g, "%$&"),
  ];
  const agreeing = [0, 1, 8, value.length - 2, value.length - 1];

  for (const guest of ["h2", "http/1.1"] as const) {
    for (const [name, fields, partsOf] of shapes) {
      test(`${name}, for a guest that speaks ${guest}: right or wrong, the same lengths are sent with the same parts`, async () => {
        /** What is sent to the guest, as lengths: of frames, or of writes. */
        const observe = async (guess: string) => {
          const frames = partsOf(guess).map((part) => dataFrame(1, Buffer.from(part)));
          const beginning = [settingsFrame([]), headersFrame(1, [[":status", "200"], ...fields])];
          const steps: Step[] = [
            guest === "h2" ? http2RequestOf(token) : requestOf(token, 1),
            ...[...beginning, ...frames, dataFrame(1, Buffer.alloc(0), frameFlags.endStream)].map(
              (bytes): Step => ({ at: "upstream", does: "sends", bytes }),
            ),
          ];
          const script: Script = {
            ...{ steps, guest, upstream: "h2", decompresses: false, budgetBytes: 16 * 1024 * 1024 },
          };
          const { received, events: seen } = await runScript(
            script,
            policiesFor(value, laterValue).policies,
          );
          assert.equal(received.includes(token), false);
          const writes = seen
            .filter((event) => event.includes(" guest is sent "))
            .map((event) => JSON.parse(event.slice(event.indexOf('"'))).length);
          const bodyBytes = Buffer.byteLength(partsOf(guess).join(""));
          if (guest === "http/1.1") {
            assert.ok(received.length > bodyBytes);
            return { writes };
          }
          const sent = readFrames(received).map(({ type, payload }) => [type, payload.length]);
          const data = sent.filter(([type]) => type === frameTypes.data);
          assert.equal(
            data.reduce((sum, [, length = 0]) => sum + length, 0),
            bodyBytes,
          );
          return { writes, sent };
        };
        for (const spell of spellings) {
          const seen = [];
          for (const count of agreeing) {
            seen.push(await observe(spell(value.slice(0, count).padEnd(value.length, "~"))));
          }
          for (const each of seen) assert.deepEqual(each, seen[0]);
        }
      });
    }
  }
});

const lines = (fields: FieldList = []) => fields.map((field) => `${field.join(": ")}\r\n`).join("");

describe("over HTTP/2, the comparison detects a value that occurs completely", () => {
  for (const side of sides) {
    const { guest, upstream } = side;
    for (const [place, make] of places) {
      test(`in a ${place}, for a guest that speaks ${guest} and an upstream that speaks ${upstream}`, async () => {
        const random = createSeededRandom(650);
        const pair = randomPair(random, "token");
        const response = make(`[${pair.value}]`);
        const { body, fields, trailers, interim, hasLength } = response;
        const hint = interim === undefined ? "" : `HTTP/1.1 103 Hint\r\n${lines(interim[0])}\r\n`;
        const bytes =
          upstream === "h2"
            ? http2ResponseOf(random, response)
            : Buffer.concat([
                Buffer.from(hint),
                responseOf(
                  body,
                  { framing: hasLength ? "short" : "chunked", coding: "identity" },
                  random,
                  { fields: lines(fields), trailers: lines(trailers) },
                ),
              ]);
        const script = scriptOf(side, bytes);
        const one = await see(script, pair.value);
        assert.notDeepEqual(one.events, (await see(script, pair.other)).events);
        assert.match(one.audits[0] ?? "", /"redacted":\["KEY"\]/);
      });
    }

    test(`in a compressed body, for a guest that speaks ${guest} and an upstream that speaks ${upstream}`, async () => {
      const random = createSeededRandom(651);
      const pair = randomPair(random, "token");
      for (const coding of codings.filter(isCompression)) {
        const text = Buffer.from(`[${pair.value}]`);
        const label = coding === "unlabelled gzip" ? [] : [["content-encoding", coding] as const];
        const bytes =
          upstream === "h2"
            ? http2ResponseOf(random, {
                ...{ body: compressions[coding](text), fields: label, hasLength: true },
              })
            : responseOf(text, { framing: "short", coding }, random);
        const script = scriptOf(side, bytes, coding);
        const one = await see(script, pair.value);
        assert.notDeepEqual(one.events, (await see(script, pair.other)).events, coding);
      }
    });
  }
});
