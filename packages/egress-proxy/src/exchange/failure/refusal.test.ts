import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { refusalStatuses } from "./refusal.ts";

test("the guide lists each code of the proxy's own responses with its status, and no other", () => {
  const page = new URL("../../../../../docs/guide/errors.md", import.meta.url);
  const [, section = ""] =
    /^## What a program in a sandbox reads\n(.*)/ms.exec(readFileSync(page, "utf8")) ?? [];
  const listed = new Map<string, number>();
  for (const [, codes = "", statuses = ""] of section.matchAll(/^\| (`.*?`) \| ([\d, ]+) \|/gm)) {
    const each = statuses.split(", ").map(Number);
    for (const [index, [, code = ""]] of [...codes.matchAll(/`(\w+)`/g)].entries()) {
      listed.set(code, each[index] ?? each[0] ?? 0);
    }
  }
  assert.deepEqual(listed, new Map(Object.entries(refusalStatuses)));
});
