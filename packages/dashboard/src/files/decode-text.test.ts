import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeText } from "./decode-text.ts";

test("decodeText returns exactly what can be written back, and nothing for other bytes", () => {
  for (const text of ["", "grün\n", "\ufeffwith a byte order mark", "a\r\nb"]) {
    assert.equal(decodeText(new TextEncoder().encode(text)), text);
  }
  for (const bytes of [[0xff, 0xfe], [0x61, 0], [0xc3], [0xed, 0xa0, 0x80]]) {
    assert.equal(decodeText(Uint8Array.from(bytes)), undefined);
  }
});
