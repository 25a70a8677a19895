import assert from "node:assert/strict";
import { test } from "node:test";
import { visibleText } from "./visible-text.ts";

test("visibleText shows what hides in a text or reverses it", () => {
  assert.equal(visibleText("invoice\u202efdp.exe"), "invoice\\u{202e}fdp.exe");
  assert.equal(
    visibleText("a\u200bb\u2028c\u0000d\u009be\u{e0041}"),
    "a\\u{200b}b\\u{2028}c\\u{0}d\\u{9b}e\\u{e0041}",
  );
});

test("visibleText leaves every other text as it is", () => {
  for (const text of [
    "",
    "a b.txt",
    "zwei\nZeilen\t",
    "שלום",
    "\u0645\u06cc\u200c\u062e",
    "\u{1f468}\u200d\u{1f4bb}",
  ]) {
    assert.equal(visibleText(text), text);
  }
});
