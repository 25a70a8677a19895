import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { decodeBody } from "./decode-body.ts";

test("decodeBody refuses data that grows without bound through several codings", async () => {
  const bomb = gzipSync(gzipSync(Buffer.alloc(66 * 1024 * 1024), { level: 1 }));
  const data = [[bomb]];
  const source = { read: async () => data.shift() ?? null };
  await assert.rejects(async () => {
    for await (const _part of decodeBody(source, ["gzip", "gzip"])) {
      // Only the end matters.
    }
  }, /grows without bound/);
});
