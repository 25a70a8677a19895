import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HttpSyntaxError } from "../http/http-syntax-error.ts";
import { readWhole } from "../http/incoming-body.ts";
import type { Framing } from "../http/message-heads.ts";
import { channelOf } from "../testing/http-split.ts";
import { BodyReader } from "./body-reader.ts";

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
    test(`${framing.kind} ends at the end of the body and leaves the rest`, async () => {
      const channel = channelOf(arriving);
      const reader = new BodyReader(channel, framing);
      assert.equal((await readWhole(reader)).toString(), body);
      assert.equal(reader.complete, true);
      assert.equal(reader.bytes, body.length);
      assert.equal((await channel.read())?.toString() ?? null, rest);
    });
  }

  const truncated: { framing: Framing; arriving: string[] }[] = [
    { framing: { kind: "length", length: 4 }, arriving: ["abc"] },
    { framing: { kind: "chunked" }, arriving: ["2\r\nab\r\n"] },
    { framing: { kind: "chunked" }, arriving: ["2\r\nab\r\n0\r\n"] },
  ];
  for (const { framing, arriving } of truncated) {
    test(`${framing.kind} truncated after ${JSON.stringify(arriving.join(""))} is an error`, async () => {
      const reader = new BodyReader(channelOf(arriving), framing);
      await assert.rejects(
        readWhole(reader),
        (error: unknown) => error instanceof HttpSyntaxError && error.fault === "truncated",
      );
      assert.equal(reader.complete, false);
    });
  }
});
