import assert from "node:assert/strict";
import { test } from "node:test";
import { sealedToken, sealedTokenFrom } from "./sealed-token.ts";

test("sealedTokenFrom writes 16 bytes as 32 lowercase hexadecimal digits", () => {
  const token = sealedTokenFrom(Uint8Array.from({ length: 16 }, (_, index) => index * 17));
  assert.equal(token, "osb_sealed_00112233445566778899aabbccddeeff");
  assert.match(token, sealedToken.pattern);
  assert.equal(token.length, sealedToken.length);
});

test("sealedTokenFrom refuses any other number of bytes", () => {
  assert.throws(() => sealedTokenFrom(new Uint8Array(15)), /16 random bytes, got 15/);
});
