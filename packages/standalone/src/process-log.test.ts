import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { noteworthy } from "./process-log.ts";

describe("noteworthy", () => {
  const lines: [string, string, string | null][] = [
    ["an everyday line", '{"level":30,"msg":"listening"}', null],
    ["a warning", '{"level":40,"msg":"slow"}', null],
    [
      "an error with its cause",
      '{"level":50,"msg":"failed","err":{"message":"why"}}',
      "failed: why",
    ],
    ["an error without text", '{"level":60,"err":{"message":"why"}}', "why"],
    ["text that is no log line", "Segmentation fault", "Segmentation fault"],
    ["text that begins like one", "{oops", "{oops"],
    ["an audit line", '{"audit":true,"time":"2026-01-01T00:00:00.000Z"}', null],
    ["an empty line", "", null],
  ];
  for (const [name, line, expected] of lines) {
    test(`${name}: ${expected ?? "not shown"}`, () => assert.equal(noteworthy(line), expected));
  }
});
