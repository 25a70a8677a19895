import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { formatAge } from "./age.ts";
import { formatFields, formatTable } from "./table.ts";

describe("formatTable", () => {
  test("aligns columns two spaces apart, without borders and trailing spaces", () => {
    const rows = [
      ["1", "long name", "x"],
      ["22", "ü", ""],
    ];
    assert.equal(
      formatTable(["ID", "NAME", "LAST"], rows),
      "ID  NAME       LAST\n1   long name  x\n22  ü",
    );
  });

  test("lets no cell steer the terminal", () => {
    assert.equal(formatTable(["A"], [["\u001b[31mred\nnext\u009b"]]), "A\n?[31mred?next?");
    assert.equal(formatFields([["Name", "a\rb"]]), "Name:  a?b");
  });
});

describe("formatAge", () => {
  test("uses the largest whole unit", () => {
    const since = "2026-01-01T00:00:00Z";
    const after = (seconds: number) => formatAge(since, Date.parse(since) + seconds * 1000);
    assert.deepEqual([0, 59.9, 60, 3599, 3600, 86_399, 86_400, 864_000, -5].map(after), [
      "0s",
      "59s",
      "1m",
      "59m",
      "1h",
      "23h",
      "1d",
      "10d",
      "0s",
    ]);
  });
});
