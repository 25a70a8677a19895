import assert from "node:assert/strict";
import { test } from "node:test";
import { formatBytes } from "./format-bytes.ts";

test("formatBytes has the largest unit of which there is at least one", () => {
  const cases: [number, string][] = [
    ...([
      [0, "0 B"],
      [1, "1 B"],
      [999, "999 B"],
      [1000, "1 KB"],
    ] as [number, string][]),
    ...([
      [1500, "1.5 KB"],
      [123_456, "123 KB"],
      [2.5e9, "2.5 GB"],
    ] as [number, string][]),
    ...([[5e15, "5000 TB"]] as [number, string][]),
  ];
  for (const [bytes, text] of cases) assert.equal(formatBytes(bytes), text);
});
