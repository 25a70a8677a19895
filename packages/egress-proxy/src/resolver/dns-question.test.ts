import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decode, encode, type Packet } from "dns-packet";
import { createSeededRandom } from "../testing/seeded-random.ts";
import { parseQuestion, responseCodes } from "./dns-question.ts";
import { encodeError } from "./dns-response.ts";

function query(changes: Packet = {}): Buffer {
  return encode({
    type: "query",
    id: 77,
    flags: 0x0100,
    questions: [{ name: "Api.Example.com", type: "A", class: "IN" }],
    ...changes,
  });
}

function altered(offset: number, value: number): Buffer {
  const message = query();
  message.writeUInt16BE(value, offset);
  return message;
}

describe("parseQuestion", () => {
  test("reads id, name as spelled, type and the guest's largest response", () => {
    const options = {
      type: "OPT",
      name: ".",
      udpPayloadSize: 4096,
      extendedRcode: 0,
      ednsVersion: 0,
      flags: 0,
      flag_do: false,
      options: [],
    } as const;
    assert.deepEqual(parseQuestion(query({ additionals: [{ ...options, options: [] }] })), {
      kind: "question",
      question: {
        id: 77,
        recursionDesired: true,
        name: "Api.Example.com",
        type: "A",
        udpPayloadBytes: 4096,
      },
    });
    const plain = parseQuestion(query());
    assert.ok(plain.kind === "question" && plain.question.udpPayloadBytes === null);
  });

  const errors: [string, Buffer, number][] = [
    ["a status request", altered(2, 0x1000), responseCodes.notImplemented],
    ["an update", altered(2, 0x2800), responseCodes.notImplemented],
    ["no question", altered(4, 0), responseCodes.formatError],
    ["two questions", altered(4, 2), responseCodes.formatError],
    ["65535 questions", altered(4, 0xffff), responseCodes.formatError],
    ["65535 answers", altered(6, 0xffff), responseCodes.formatError],
    ["65535 authorities", altered(8, 0xffff), responseCodes.formatError],
    ["65535 additionals", altered(10, 0xffff), responseCodes.formatError],
    ["an additional record that is missing", altered(10, 1), responseCodes.formatError],
    ["a truncated question", query().subarray(0, 20), responseCodes.formatError],
    [
      "class CH",
      query({ questions: [{ name: "version.bind", type: "TXT", class: "CH" }] }),
      responseCodes.refused,
    ],
    [
      "a name with a control character",
      query({ questions: [{ name: "a\u0007b.example.com", type: "A", class: "IN" }] }),
      responseCodes.formatError,
    ],
    [
      "a name outside ASCII",
      query({ questions: [{ name: "bücher.example", type: "A", class: "IN" }] }),
      responseCodes.formatError,
    ],
  ];
  for (const [name, message, responseCode] of errors) {
    test(`responds to ${name} with code ${responseCode}`, () => {
      const parsed = parseQuestion(message);
      assert.deepEqual(parsed, { kind: "error", id: 77, responseCode });
      const response = decode(encodeError(77, responseCode));
      assert.equal(response.flag_qr, true);
      assert.equal((response.flags ?? 0) & 0xf, responseCode);
    });
  }

  const ignored: [string, Buffer][] = [
    ["a response", query({ type: "response" })],
    ["eleven bytes", query().subarray(0, 11)],
    ["nothing", Buffer.alloc(0)],
  ];
  for (const [name, message] of ignored) {
    test(`ignores ${name}`, () => assert.deepEqual(parseQuestion(message), { kind: "ignored" }));
  }

  test("treats a compression pointer to itself as malformed", () => {
    const message = Buffer.concat([query().subarray(0, 12), Buffer.from([0xc0, 0x0c, 0, 1, 0, 1])]);
    assert.equal(parseQuestion(message).kind, "error");
  });

  test("fuzz: damaged questions and random bytes never throw, and names stay printable", () => {
    const random = createSeededRandom(1035);
    for (let round = 0; round < 30_000; round += 1) {
      const message = round % 3 === 0 ? random.bytes(random.below(80)) : query();
      for (let change = random.below(4); change > 0 && message.length > 0; change -= 1) {
        message[random.below(message.length)] = random.below(256);
      }
      const parsed = parseQuestion(message.subarray(0, message.length - random.below(3)));
      if (parsed.kind === "question") {
        assert.match(parsed.question.name, /^[\x21-\x7e]{1,253}$/);
      }
    }
  });
});
