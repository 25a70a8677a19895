import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { serviceLimits } from "@opencomputer/protocol/wire";
import { HttpSyntaxError } from "../http/http-syntax-error.ts";
import { channelOf } from "../testing/http-split.ts";
import type { ByteChannel } from "./byte-channel.ts";
import { readHead, takeHead } from "./head-reader.ts";

const head = "GET / HTTP/1.1\r\nHost: x";

async function readBoth(channel: ByteChannel): Promise<[string, string]> {
  const bytes = await readHead(channel);
  let rest = "";
  for (;;) {
    const part = await channel.read();
    if (part === null) return [bytes?.toString("latin1") ?? "", rest];
    rest += part.toString("latin1");
  }
}

describe("readHead", () => {
  test("returns the same head and the same rest, wherever the bytes are split", async () => {
    const whole = `${head}\r\n\r\nbody`;
    for (let first = 0; first <= whole.length; first += 1) {
      for (const second of [first, first + 1, first + 5]) {
        const parts = [whole.slice(0, first), whole.slice(first, second), whole.slice(second)];
        const channel = channelOf(parts.filter((part) => part !== ""));
        assert.deepEqual(await readBoth(channel), [head, "body"]);
      }
    }
  });

  test("returns the same head, byte by byte", async () => {
    assert.deepEqual(await readBoth(channelOf([...`${head}\r\n\r\n`])), [head, ""]);
  });

  test("skips one empty line in front", async () => {
    assert.deepEqual(await readBoth(channelOf([`\r\n${head}\r\n\r\n`])), [head, ""]);
    assert.deepEqual(await readBoth(channelOf(["\r", "\n", `${head}\r\n\r\n`])), [head, ""]);
  });

  test("is null at the end before the first byte", async () => {
    assert.equal(await readHead(channelOf([])), null);
  });

  const refused = [
    { name: "an end inside a head", parts: ["GET / HTTP/1.1\r\nHo"], fault: "truncated" },
    { name: "LF line ends, at once", parts: ["GET / HTTP/1.1\nHost: x\n"], fault: "malformed" },
    {
      name: "a head without end",
      parts: Array.from({ length: 70 }, () => "x".repeat(1024)),
      fault: "too_large",
    },
    {
      name: "a head one byte over the limit",
      parts: [`${"x".repeat(serviceLimits.httpHeadBytesMax + 1)}\r\n\r\n`],
      fault: "too_large",
    },
  ];
  for (const { name, parts, fault } of refused) {
    test(`refuses ${name}`, async () => {
      await assert.rejects(
        readHead(channelOf(parts)),
        (error: unknown) => error instanceof HttpSyntaxError && error.fault === fault,
      );
    });
  }

  test("accepts a head as large as the limit allows", async () => {
    const largest = "x".repeat(serviceLimits.httpHeadBytesMax);
    const bytes = await readHead(channelOf([`${largest}\r\n\r\n`]));
    assert.equal(bytes?.length, serviceLimits.httpHeadBytesMax);
  });
});

describe("takeHead", () => {
  async function taken(parts: string[]) {
    const channel = channelOf(parts);
    await channel.readable();
    return { bytes: takeHead(channel)?.toString("latin1"), rest: await readBoth(channel) };
  }

  test("takes a head that has arrived in one piece, and leaves what follows it", async () => {
    const bytes = takeHead(channelOf([]));
    assert.equal(bytes, undefined);
    const channel = channelOf([`${head}\r\n\r\n${head}\r\n\r\nbody`]);
    await channel.readable();
    assert.equal(takeHead(channel)?.toString("latin1"), head);
    assert.deepEqual(await readBoth(channel), [head, "body"]);
  });

  for (const parts of [
    [`${head}\r\n`, "\r\nbody"],
    [`\r\n${head}\r\n\r\nbody`],
    ["\r", `\n${head}\r\n\r\nbody`],
  ]) {
    test(`leaves ${JSON.stringify(parts)} to readHead`, async () => {
      assert.deepEqual(await taken(parts), { bytes: undefined, rest: [head, "body"] });
    });
  }

  test("leaves a head over the limit to readHead", async () => {
    const channel = channelOf([`${"x".repeat(serviceLimits.httpHeadBytesMax + 1)}\r\n\r\n`]);
    await channel.readable();
    assert.equal(takeHead(channel), undefined);
    await assert.rejects(readHead(channel), HttpSyntaxError);
  });
});
