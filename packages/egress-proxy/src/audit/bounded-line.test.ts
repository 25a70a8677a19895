import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { auditLineSchema, serviceLimits } from "@opencomputer/protocol/wire";
import { testAuditLine } from "../testing/audit-lines.ts";
import { createSeededRandom } from "../testing/seeded-random.ts";
import { boundedLine, cutText } from "./bounded-line.ts";

const read = (json: string) => auditLineSchema.parse(JSON.parse(json));

describe("cutText", () => {
  const cases: [string, string, number, string][] = [
    ["a text that fits", "abc", 3, "abc"],
    ["a text that is one byte too long", "abcd", 3, "abc…(4 bytes)"],
    ["a character that does not fit as a whole", "aéé", 4, "aé…(5 bytes)"],
    ["a surrogate pair that does not fit as a whole", "a😀", 4, "a…(5 bytes)"],
  ];
  for (const [name, text, bytesMax, expected] of cases) {
    test(name, () => assert.equal(cutText(text, bytesMax), expected));
  }
});

describe("boundedLine", () => {
  test("keeps an ordinary line unchanged", () => {
    const line = testAuditLine({
      path: `/${"a".repeat(1000)}`,
      substituted: ["KEY"],
      withheld: [{ name: "OTHER", place: "header x-api-key" }],
    });
    assert.deepEqual(read(boundedLine(line)), line);
  });

  test("has no control character that a terminal obeys", () => {
    const line = testAuditLine({ path: "/\u009b31m\u007f\u0090x" });
    const json = boundedLine(line);
    assert.doesNotMatch(json, /\p{Cc}/u);
    assert.deepEqual(read(json), line);
  });

  test("truncates a path of 60 KB and states its length", () => {
    const { path } = read(boundedLine(testAuditLine({ path: `/${"a".repeat(59_999)}` })));
    assert.equal(path, `/${"a".repeat(serviceLimits.auditTextBytesMax - 1)}…(60000 bytes)`);
  });

  test("truncates lists, and states how many entries they had", () => {
    const names = Array.from({ length: 200 }, (_, index) => `NAME_${index}`);
    const withheld = names.map((name) => ({ name, place: "body" }));
    const line = read(boundedLine(testAuditLine({ redacted: names, withheld })));
    assert.equal(line.redacted.length, 65);
    assert.equal(line.redacted.at(-1), "…(136 more)");
    assert.deepEqual(line.withheld.at(-1), { name: "…", place: "…(136 more)" });
  });

  test("fuzz: any line becomes a valid line within its bound", () => {
    const random = createSeededRandom(7493);
    const pieces = ["a", '"', "\\", "\u0001", "é", "\u009b", "😀", "\ud800", "\n", "…"];
    const text = () => random.pick(pieces).repeat(random.below(70_000));
    for (let round = 0; round < 200; round += 1) {
      const names = Array.from({ length: random.below(300) }, text);
      const json = boundedLine(
        testAuditLine({
          sandboxId: text(),
          host: text(),
          method: text(),
          path: text(),
          reason: text(),
          substituted: names,
          withheld: names.map((name) => ({ name, place: text() })),
          leaked: names,
        }),
      );
      assert.ok(Buffer.byteLength(json) <= serviceLimits.auditLineBytesMax);
      assert.doesNotMatch(json, /\p{Cc}/u);
      read(json);
    }
  });
});
