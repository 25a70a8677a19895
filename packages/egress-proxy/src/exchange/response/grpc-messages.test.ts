import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { policyOf, secretOf } from "../../testing/http-policy.ts";
import { splitAtRandom } from "../../testing/http-split.ts";
import { createSeededRandom } from "../../testing/seeded-random.ts";
import { Refusal } from "../failure/refusal.ts";
import { GrpcMessages } from "./grpc-messages.ts";

const value = "sk-Q7v2mX9Lp4ZtW8cKdR3";
const guess = "sk-Q7v2mX9Lp4ZtW8cKdR4";
const { search } = policyOf([secretOf("KEY", "a", value)]);

function messageOf(payload: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(payload.length, 1);
  return Buffer.concat([prefix, payload]);
}

/** What leaves with each part, or that the body ended there. */
function passed(parts: readonly Buffer[]): string[] {
  const messages = new GrpcMessages(
    "grpc",
    "a.example",
    () => search,
    () => undefined,
  );
  const leaving: string[] = [];
  try {
    for (const part of parts) leaving.push(Buffer.concat(messages.push(part)).toString("latin1"));
    leaving.push(Buffer.concat(messages.end()).toString("latin1"));
  } catch (error) {
    assert.ok(error instanceof Refusal);
    leaving.push(error.code);
  }
  return leaving;
}

describe("GrpcMessages", () => {
  test("passes messages unchanged, each complete with its last byte, wherever they are cut", () => {
    const random = createSeededRandom(50);
    for (let round = 0; round < 300; round += 1) {
      const messages = Array.from({ length: 1 + random.below(4) }, () =>
        messageOf(Buffer.from(guess.slice(0, random.below(guess.length)).repeat(random.below(4)))),
      );
      const body = Buffer.concat(messages);
      assert.equal(passed(splitAtRandom(body, 9, random)).join(""), body.toString("latin1"));
      assert.deepEqual(passed(messages), [
        ...messages.map((message) => message.toString("latin1")),
        "",
      ]);
    }
  });

  test("no byte of a message with a value leaves from the value on, wherever it is cut", () => {
    const random = createSeededRandom(51);
    const body = Buffer.concat([
      messageOf(Buffer.from("first")),
      messageOf(Buffer.from(`before ${value} after`)),
    ]);
    for (let round = 0; round < 300; round += 1) {
      const leaving = passed(splitAtRandom(body, 1 + random.below(40), random));
      assert.equal(leaving.at(-1), "value_in_grpc_message");
      assert.doesNotMatch(leaving.join(""), /sk-/);
    }
  });

  test("what leaves, and when, is the same for every near miss", () => {
    const random = createSeededRandom(52);
    for (let round = 0; round < 200; round += 1) {
      const prefix = random.below(value.length);
      const other = "x".repeat(value.length - prefix);
      const near = (text: string) => messageOf(Buffer.from(`key=${text} end`));
      const one = near(value.slice(0, prefix) + other);
      const two = near("y".repeat(prefix) + other);
      const seed = random.below(1_000_000);
      const lengths = (bytes: Buffer) =>
        passed(splitAtRandom(bytes, 7, createSeededRandom(seed))).map(({ length }) => length);
      assert.deepEqual(lengths(one), lengths(two));
    }
  });

  test("throws only refusals, whatever arrives", () => {
    const random = createSeededRandom(53);
    for (let round = 0; round < 2000; round += 1) {
      const bytes = Buffer.from(Array.from({ length: random.below(40) }, () => random.below(256)));
      if (random.below(2) === 0 && bytes.length > 0) bytes[0] = 0;
      passed(splitAtRandom(bytes, 5, random));
    }
  });
});
