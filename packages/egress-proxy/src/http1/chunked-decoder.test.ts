import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HttpSyntaxError } from "../http/http-syntax-error.ts";
import { splitAtRandom } from "../testing/http-split.ts";
import { createSeededRandom } from "../testing/seeded-random.ts";
import { chunkEnd, chunkedEnd, chunkStart } from "./body-writer.ts";
import { ChunkedDecoder } from "./chunked-decoder.ts";

function decode(parts: readonly (Buffer | string)[]) {
  const decoder = new ChunkedDecoder();
  const data: Buffer[] = [];
  let rest = "";
  for (const part of parts) {
    const bytes = Buffer.from(part);
    const end = decoder.push(bytes, 0, data);
    rest += bytes.subarray(end).toString("latin1");
  }
  return {
    text: Buffer.concat(data).toString("latin1"),
    rest,
    done: decoder.done,
    trailers: decoder.trailers.map(({ name, value }) => `${name}: ${value}`),
  };
}

describe("ChunkedDecoder", () => {
  const taken = [
    { body: "5\r\nhello\r\n0\r\n\r\n", text: "hello" },
    { body: "A\r\n0123456789\r\n00\r\n\r\n", text: "0123456789" },
    { body: '1;name=value\r\na\r\n2;x="y"\r\nbc\r\n0;last\r\n\r\n', text: "abc" },
    { body: "0\r\n\r\n", text: "" },
    {
      body: "1\r\na\r\n0\r\nX-Sum: 1\r\nX-B: 2\r\n\r\n",
      text: "a",
      trailers: ["X-Sum: 1", "X-B: 2"],
    },
    { body: "1\r\na\r\n0\r\n\r\nGET /", text: "a", rest: "GET /" },
  ];
  for (const { body, text, rest = "", trailers = [] } of taken) {
    test(`decodes ${JSON.stringify(body)}`, () => {
      assert.deepEqual(decode([body]), { text, rest, done: true, trailers });
      assert.deepEqual(decode([...body]), { text, rest, done: true, trailers });
    });
  }

  const refused = [
    { name: "a size that is no number", body: "x\r\n" },
    { name: "an empty size", body: "\r\n" },
    { name: "a signed size", body: "+5\r\nhello\r\n" },
    { name: "a size with 0x", body: "0x5\r\nhello\r\n" },
    { name: "a space after the size", body: "5 \r\nhello\r\n" },
    { name: "a size that no number holds", body: "fffffffffffffffff\r\n" },
    { name: "a size that ends in LF alone", body: "5\nhello\r\n" },
    { name: "a CR inside the size line", body: "5\rx\r\nhello\r\n" },
    { name: "a LF in an extension", body: "5;a\nhello\r\n" },
    { name: "a control byte in an extension", body: "5;a\x01\r\nhello\r\n" },
    { name: "data longer than its size", body: "3\r\nhello\r\n" },
    { name: "data without its CRLF", body: "5\r\nhello0\r\n\r\n" },
    { name: "data that ends in LF alone", body: "5\r\nhello\n0\r\n\r\n" },
    { name: "a folded trailer", body: "0\r\nA: b\r\n c\r\n\r\n" },
    { name: "a trailer without a colon", body: "0\r\nA\r\n\r\n" },
    { name: "an extension without end", body: `1;${"x".repeat(2000)}` },
    { name: "trailers without end", body: `0\r\n${`X: ${"y".repeat(1000)}\r\n`.repeat(70)}` },
  ];
  for (const { name, body } of refused) {
    test(`refuses ${name}`, () => {
      assert.throws(() => decode([body]), HttpSyntaxError);
      assert.throws(() => decode([...body]), HttpSyntaxError);
    });
  }

  test("is not done before the last line", () => {
    assert.equal(decode(["5\r\nhello\r\n0\r\n"]).done, false);
    assert.equal(decode(["5\r\nhel"]).done, false);
  });

  test("returns what was encoded, split anywhere", () => {
    const random = createSeededRandom(3);
    for (let round = 0; round < 300; round += 1) {
      const chunks = Array.from({ length: random.below(6) }, () =>
        random.bytes(1 + random.below(40)),
      );
      const encoded = Buffer.concat([
        ...chunks.flatMap((chunk) => [
          Buffer.from(chunkStart(chunk.length)),
          chunk,
          Buffer.from(chunkEnd),
        ]),
        Buffer.from(chunkedEnd([{ name: "X-T", lowerName: "x-t", value: "v" }])),
        Buffer.from("next"),
      ]);
      assert.deepEqual(decode(splitAtRandom(encoded, 7, random)), {
        text: Buffer.concat(chunks).toString("latin1"),
        rest: "next",
        done: true,
        trailers: ["X-T: v"],
      });
    }
  });

  test("throws only HttpSyntaxError, whatever arrives", () => {
    const random = createSeededRandom(5);
    for (let round = 0; round < 5000; round += 1) {
      const bytes = Buffer.from("5;a=b\r\nhello\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n");
      for (let change = random.below(4); change >= 0; change -= 1) {
        bytes[random.below(bytes.length)] = random.below(256);
      }
      try {
        decode(splitAtRandom(bytes, 9, random));
      } catch (error) {
        assert.ok(error instanceof HttpSyntaxError, String(error));
      }
    }
  });
});

describe("chunkedEnd", () => {
  test("leaves out fields that must not come after a body", () => {
    const field = (name: string) => ({ name, lowerName: name.toLowerCase(), value: "1" });
    assert.equal(
      chunkedEnd([
        field("Content-Length"),
        field("X-Sum"),
        field("Host"),
        field("Transfer-Encoding"),
      ]),
      "0\r\nX-Sum: 1\r\n\r\n",
    );
  });
});
