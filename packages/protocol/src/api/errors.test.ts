import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { errorStatuses } from "./errors.ts";

/** Codes between processes of the service, which no caller of the API gets. */
const inner: readonly string[] = ["stale_session"];

test("the guide lists each error code of the API with its status, and no other", () => {
  const page = new URL("../../../../docs/guide/errors.md", import.meta.url);
  const [, section = ""] = /^## The API\n(.*?)^## /ms.exec(readFileSync(page, "utf8")) ?? [];
  const listed = [...section.matchAll(/^\| (`.*?`) \| (\d+) \|/gm)].flatMap(
    ([, codes = "", status]) =>
      [...codes.matchAll(/`(\w+)`/g)].map(([, code]) => [code, Number(status)] as const),
  );
  const expected = Object.entries(errorStatuses).filter(([code]) => !inner.includes(code));
  assert.deepEqual(new Map(listed), new Map(expected));
});
