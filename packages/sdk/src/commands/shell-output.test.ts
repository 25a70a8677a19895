import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createShellOutput } from "./shell-output.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

describe("createShellOutput", () => {
  test("joins parts, also those that split a character", () => {
    const output = createShellOutput(10);
    const written = bytes("aéb");
    output.add(written.subarray(0, 2));
    output.add(written.subarray(2));
    assert.equal(output.text(), "aéb");
    assert.equal(output.isTruncated(), false);
  });

  test("keeps a byte order mark", () => {
    const output = createShellOutput();
    output.add(bytes("\uFEFFa"));
    assert.equal(output.text(), "\uFEFFa");
  });

  test("keeps what fits into the limit, and reports that more was written", () => {
    const output = createShellOutput(4);
    output.add(bytes("abc"));
    output.add(bytes("def"));
    output.add(bytes("ghi"));
    assert.equal(output.text(), "abcd");
    assert.equal(output.isTruncated(), true);
  });
});
