import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { cutMiddle } from "./cut-middle.ts";

describe("cutMiddle", () => {
  test("returns a text that fits as it is", () => {
    for (const text of ["", "abc", "é", "x".repeat(10)]) {
      assert.deepEqual(cutMiddle(text, 10), { text, bytesCut: 0 });
    }
  });

  test("keeps beginning and end, and states what is missing", () => {
    assert.deepEqual(cutMiddle("0123456789abcdef", 7), {
      text: "0123\n[9 bytes cut]\ndef",
      bytesCut: 9,
    });
  });

  test("splits no character, wherever the cut is", () => {
    const text = "aé€😀".repeat(20);
    for (let bytesMax = 1; bytesMax < Buffer.byteLength(text); bytesMax += 1) {
      const { text: shown, bytesCut } = cutMiddle(text, bytesMax);
      assert.ok(!shown.includes("\ufffd"), shown);
      const [head = "", tail = ""] = shown.split(`\n[${bytesCut} bytes cut]\n`);
      assert.ok(text.startsWith(head) && text.endsWith(tail));
      const kept = Buffer.byteLength(head) + Buffer.byteLength(tail);
      assert.equal(kept + bytesCut, Buffer.byteLength(text));
      assert.ok(kept <= bytesMax);
    }
  });
});
