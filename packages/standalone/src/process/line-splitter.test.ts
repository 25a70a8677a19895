import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createLineSplitter } from "./line-splitter.ts";

function split(chunks: (string | Buffer)[]) {
  const lines: string[] = [];
  let broken = 0;
  const splitter = createLineSplitter({
    lineBytesMax: 10,
    onLine: (line) => lines.push(line),
    onBrokenLine: () => {
      broken += 1;
    },
  });
  for (const chunk of chunks) splitter.push(Buffer.from(chunk));
  splitter.end();
  return { lines, broken };
}

describe("createLineSplitter", () => {
  const cases: [string, (string | Buffer)[], string[], number][] = [
    ["lines in one chunk", ["a\nbc\n"], ["a", "bc"], 0],
    ["a line in several chunks", ["a", "b", "c\nd\n"], ["abc", "d"], 0],
    ["empty lines", ["\n\na\n"], ["a"], 0],
    [
      "a character that two chunks share",
      [Buffer.from([0xc3]), Buffer.from([0xa9, 0x0a])],
      ["é"],
      0,
    ],
    ["a line of exactly the bound", ["0123456789\n"], ["0123456789"], 0],
    ["a line that is too long", ["0123456789", "x\nb\n"], ["b"], 1],
    ["a line that the end cut off", ["a\nb"], ["a"], 1],
    ["nothing", [], [], 0],
  ];
  for (const [name, chunks, lines, broken] of cases) {
    test(name, () => assert.deepEqual(split(chunks), { lines, broken }));
  }

  test("keeps nothing of a line that never ends", () => {
    const { lines, broken } = split(Array.from({ length: 1000 }, () => "x".repeat(1000)));
    assert.deepEqual([lines, broken], [[], 1]);
  });
});
