import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, test } from "node:test";
import stringWidth from "string-width";
import { CliError } from "../cli-context.ts";
import { formatAge, printableJson } from "./format.ts";
import { reportError } from "./report-error.ts";
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

  test("cuts the widest cells to the columns of a terminal, and never the first", () => {
    const id = "9961c10e-c83c-4e6b-ad61-b91144323a3d";
    const head = ["ID", "NAME", "EGRESS", "AGE"];
    const rows = [
      [id, "a-name-of-some-length", "api.anthropic.com, *.openai.com, api.example.com", "5s"],
      [id, "字字字字字字字字字字", "all hosts", "12d"],
    ];
    const lines = (columns: number) => formatTable(head, rows, columns).split("\n");
    for (const columns of [120, 100, 80, 64]) {
      for (const line of lines(columns)) assert.ok(stringWidth(line) <= columns, line);
      assert.ok(lines(columns).every((line) => /^(ID|9961c10e-\S{27}) /.test(line)));
    }
    assert.deepEqual(formatTable(head, rows, 200), formatTable(head, rows));
    assert.match(
      lines(80)[1] ?? "",
      /^9961\S+ {2}a-name-of-some-l… {2}api\.anthropic\.com… {2}5s$/,
    );
    assert.match(lines(20)[1] ?? "", /^9961\S+ {2}a-nam… {2}api\.a… {2}5s$/);
  });

  test("lets no cell steer the terminal", () => {
    assert.equal(formatTable(["A"], [["\u001b[31mred\nnext\u009b"]]), "A\n?[31mred?next?");
    assert.equal(formatFields([["Name", "a\rb"]]), "Name:  a?b");
  });

  test("lets no cell look like another text, and keeps what letters and emojis need", () => {
    const disguised = "a\u202egpj\u202c\u2066b\u2069\u200bc\u2028d\u2029e\u{e0041}f\ufeff";
    assert.equal(formatTable(["A"], [[disguised]]), "A\na?gpj??b??c?d?e?f?");
    assert.equal(formatFields([["Name", disguised]]), "Name:  a?gpj??b??c?d?e?f?");
    const joined = "\u0645\u06cc\u200c\u062e \u{1f468}\u200d\u{1f4bb} é";
    assert.equal(formatFields([["Name", joined]]), `Name:  ${joined}`);
  });
});

describe("printableJson", () => {
  test("escapes what would steer the terminal or look like another text, and means the same", () => {
    const value = { text: "\u001b[0m\u007f\u009b31m\u202e\u{e0041}\u2028\n\t\u200d\u{1f4bb}é" };
    for (const indent of [undefined, 2]) {
      const json = printableJson(value, indent);
      assert.doesNotMatch(json, /(?![\n\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      assert.deepEqual(JSON.parse(json), value);
    }
    assert.equal(printableJson(["\u009b\u{e0041}"]), '["\\u009b\\udb40\\udc41"]');
    assert.equal(printableJson({ a: "é" }, 2), JSON.stringify({ a: "é" }, null, 2));
  });
});

describe("reportError", () => {
  test("lets no error that quotes a sandbox steer the terminal", () => {
    const write = (asJson: boolean) => {
      const stderr = new PassThrough();
      reportError(
        stderr,
        new CliError("x", "Step 1 failed:\n\u001b]0;title\u0007\tred\u009b"),
        asJson,
      );
      return String(stderr.read());
    };
    assert.equal(write(false), "error: Step 1 failed:\n?]0;title?\tred?\n");
    assert.equal(JSON.parse(write(true)).error, "Step 1 failed:\n\u001b]0;title\u0007\tred\u009b");
    assert.doesNotMatch(write(true), /\u009b/);
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
