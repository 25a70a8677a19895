import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { brotliCompressSync, constants, gzipSync, zstdCompressSync } from "node:zlib";
import { startExchange } from "../../testing/http-exchange-fixture.ts";
import { policyOf, secretOf } from "../../testing/http-policy.ts";
import { inChunks, withLength } from "../../testing/http-raw-upstream.ts";

const mebibyte = 1024 * 1024;
const policy = policyOf([secretOf("KEY", "a", "sk-Q7v2mX9Lp4ZtW8cKdR3")]);
const get = "GET / HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n";
const text = Buffer.alloc(100_000, "text ");

/** Guests whose upstreams send all of the response but its last byte, which `finish` sends. */
async function start(t: TestContext, response: Buffer, decoderBytesPerSandboxMax: number) {
  const unfinished = new Set<Socket>();
  let isHeld = true;
  const exchange = await startExchange({
    policy,
    options: { decoderBytesPerSandboxMax },
    raw(socket) {
      socket.on("data", () => {
        socket.write(isHeld ? response.subarray(0, -1) : response);
        if (isHeld) unfinished.add(socket);
      });
    },
  });
  t.after(() => exchange.close());
  return {
    send: () => exchange.send(get),
    /** Sends requests, and waits until their responses are being decoded. */
    async begin(count: number): Promise<Promise<string>[]> {
      const received = Array.from({ length: count }, () => exchange.send(get));
      while (unfinished.size < count) await new Promise((resolve) => setTimeout(resolve, 2));
      await new Promise((resolve) => setTimeout(resolve, 50));
      return received;
    },
    finish() {
      isHeld = false;
      for (const socket of unfinished) socket.write(response.subarray(-1));
    },
  };
}

describe("decoders of responses", () => {
  const brotli = (windowLog: number) => {
    const params = { [constants.BROTLI_PARAM_LGWIN]: windowLog };
    return withLength(brotliCompressSync(text, { params }), "Content-Encoding: br\r\n");
  };
  const twice = withLength(gzipSync(brotliCompressSync(text)), "Content-Encoding: br, gzip\r\n");
  const archive = Buffer.concat(inChunks([zstdCompressSync(text)]));
  const cases: [string, Buffer, number][] = [
    ["in Brotli with the largest window", brotli(24), 19 * mebibyte],
    ["in Brotli with a small window", brotli(16), 3 * mebibyte + 64 * 1024],
    ["in Brotli within another coding", twice, 19 * mebibyte + 64 * 1024],
    ["of a zstd archive", archive, 8 * mebibyte],
  ];
  for (const [name, response, bytes] of cases) {
    test(`of two responses ${name} leave no memory for a third, which is refused`, async (t) => {
      const guests = await start(t, response, 2 * bytes);
      const both = await guests.begin(2);
      const third = await guests.send();
      assert.match(third, /^HTTP\/1\.1 503 .*"code":"compressed_responses_too_many"/s);
      assert.match(third, /\r\nRetry-After: 1\r\n/);
      guests.finish();
      for (const received of await Promise.all(both)) assert.match(received, /^HTTP\/1\.1 200 /);
      assert.match(await guests.send(), /^HTTP\/1\.1 200 /);
    });
  }

  /** A frame that states a window, whatever it needs (RFC 8878 §3.1.1.1.2). */
  const frame = (windowLog: number, bytes: number) => {
    const compressed = zstdCompressSync(Buffer.alloc(bytes, "text "), {
      params: { [constants.ZSTD_c_contentSizeFlag]: 0 },
    });
    compressed.writeUInt8((windowLog - 10) << 3, 5);
    return compressed;
  };
  const archives: [string, Buffer[], number, RegExp][] = [
    ["with a larger window", [frame(26, 100_000)], 64, /^HTTP\/1\.1 200 /],
    [
      "with a larger window than the sandbox has left",
      [frame(26, 100_000)],
      63,
      /^HTTP\/1\.1 503 /,
    ],
    [
      "whose window arrives late",
      [frame(26, 100_000).subarray(0, 4), frame(26, 100_000).subarray(4)],
      64,
      /^HTTP\/1\.1 200 /,
    ],
    [
      "with a larger window later",
      [Buffer.concat([frame(12, 100), frame(23, 100_000)])],
      8,
      /^HTTP\/1\.1 200 /,
    ],
  ];
  for (const [name, parts, mebibytes, expected] of archives) {
    test(`of a zstd archive ${name} have what they need, or are refused`, async (t) => {
      const guests = await start(t, Buffer.concat(inChunks(parts)), mebibytes * mebibyte);
      guests.finish();
      assert.match(await guests.send(), expected);
    });
  }

  test("of gzip archives take little", async (t) => {
    const response = Buffer.concat(inChunks([gzipSync(text)]));
    const guests = await start(t, response, mebibyte);
    const all = await guests.begin(12);
    guests.finish();
    for (const received of await Promise.all(all)) assert.match(received, /^HTTP\/1\.1 200 /);
  });
});
