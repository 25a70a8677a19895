import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, test } from "node:test";
import { askSecret } from "./read-secret.ts";

/** Types keys at the prompt; returns the entered value and all output. */
async function typed(keys: string): Promise<{ value: Promise<string>; shown: Promise<string> }> {
  const stdin = new PassThrough();
  const stderr = new PassThrough();
  const value = askSecret(stdin, stderr);
  const ended = value.finally(() => stderr.end()).catch(() => undefined);
  stdin.write(keys);
  await ended;
  return { value, shown: text(stderr) };
}

describe("askSecret", () => {
  test("takes one line, edits and all, and shows none of it", async () => {
    const { value, shown } = await typed("sk-canarx\u007fy\r");
    assert.equal(await value, "sk-canary");
    assert.equal(await shown, "Value (one line, not shown): \n");
  });

  test("gives up on Ctrl-C, Ctrl-D and an empty line", async () => {
    for (const keys of ["half\u0003", "\u0004", "\r"]) {
      const { value } = await typed(keys);
      await assert.rejects(value, { code: "interrupted" });
    }
  });
});
