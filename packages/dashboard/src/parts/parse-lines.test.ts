import assert from "node:assert/strict";
import { test } from "node:test";
import { pairsSoFar, parseLines, parsePairs } from "./parse-lines.ts";

test("parseLines leaves out empty lines and blanks", () => {
  assert.deepEqual(parseLines(" a.example.com \r\n\n*.b.example.com"), [
    "a.example.com",
    "*.b.example.com",
  ]);
  assert.deepEqual(parseLines(""), []);
});

test("parsePairs takes a line apart at its first equals sign, and names a line without", () => {
  assert.deepEqual(parsePairs("A=1\n\nB==x y\nC="), { A: "1", B: "=x y", C: "" });
  assert.throws(() => parsePairs("A=1\nnonsense"), /found "nonsense"/);
  assert.throws(() => parsePairs("=value"), /found "=value"/);
});

test("pairsSoFar leaves out what is no entry yet", () => {
  assert.deepEqual(pairsSoFar("A=1\nB"), { A: "1" });
});
