import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { channelOf } from "../testing/http-channel.ts";
import { BodyReader, readWhole } from "./body-reader.ts";
import { HttpSyntaxError } from "./http-syntax-error.ts";
import type { Framing } from "./message-framing.ts";

describe("BodyReader", () => {
  const taken: { framing: Framing; arriving: string[]; body: string; rest: string | null }[] = [
    { framing: { kind: "none" }, arriving: ["next"], body: "", rest: "next" },
    {
      framing: { kind: "length", length: 4 },
      arriving: ["ab", "cdnext"],
      body: "abcd",
      rest: "next",
    },
    {
      framing: { kind: "chunked" },
      arriving: ["2\r\nab\r\n", "0\r\n\r\nnext"],
      body: "ab",
      rest: "next",
    },
    { framing: { kind: "until_close" }, arriving: ["ab", "cd"], body: "abcd", rest: null },
  ];
  for (const { framing, arriving, body, rest } of taken) {
    test(`${framing.kind} ends where it ends and leaves the rest`, async () => {
      const channel = channelOf(arriving);
      const reader = new BodyReader(channel, framing);
      assert.equal((await readWhole(reader)).toString(), body);
      assert.equal(reader.complete, true);
      assert.equal(reader.octets, body.length);
      assert.equal((await channel.read())?.toString() ?? null, rest);
    });
  }

  const truncated: { framing: Framing; arriving: string[] }[] = [
    { framing: { kind: "length", length: 4 }, arriving: ["abc"] },
    { framing: { kind: "chunked" }, arriving: ["2\r\nab\r\n"] },
    { framing: { kind: "chunked" }, arriving: ["2\r\nab\r\n0\r\n"] },
  ];
  for (const { framing, arriving } of truncated) {
    test(`${framing.kind} cut off after ${JSON.stringify(arriving.join(""))} is an error`, async () => {
      const reader = new BodyReader(channelOf(arriving), framing);
      await assert.rejects(
        readWhole(reader),
        (error: unknown) => error instanceof HttpSyntaxError && error.fault === "truncated",
      );
      assert.equal(reader.complete, false);
    });
  }
});
