import assert from "node:assert/strict";
import { test } from "node:test";
import { formatInitializers } from "./format-initializers.ts";

test("formatInitializers writes one pair on each line", () => {
  assert.equal(formatInitializers({ A: "/x.crt", B: "" }), '{"A", "/x.crt"},\n{"B", ""},\n');
});

test("formatInitializers refuses text that C would read in another way", () => {
  for (const value of ['"', "\\", "a\nb", "ü"]) {
    assert.throws(() => formatInitializers({ A: value }), /A=.* cannot be a C literal/s);
  }
});
