import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, test } from "node:test";
import { askSecret } from "./ask-secret.ts";

/** Types into a question and returns its answer with all that was shown. */
async function typed(keys: string): Promise<{ answer: Promise<string>; shown: Promise<string> }> {
  const stdin = new PassThrough();
  const stderr = new PassThrough();
  const answer = askSecret(stdin, stderr);
  const settled = answer.finally(() => stderr.end()).catch(() => undefined);
  stdin.write(keys);
  await settled;
  return { answer, shown: text(stderr) };
}

describe("askSecret", () => {
  test("takes one line, edits and all, and shows none of it", async () => {
    const { answer, shown } = await typed("sk-canarx\u007fy\r");
    assert.equal(await answer, "sk-canary");
    assert.equal(await shown, "Value (one line, not shown): \n");
  });

  test("gives up on Ctrl-C, Ctrl-D and an empty line", async () => {
    for (const keys of ["half\u0003", "\u0004", "\r"]) {
      const { answer } = await typed(keys);
      await assert.rejects(answer, { code: "interrupted" });
    }
  });
});
