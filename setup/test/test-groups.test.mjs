// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { groupEndToEndTests, groupUnitTests, longestFirst } from "./test-groups.mjs";

test("groupUnitTests keeps packages apart and loses no file", () => {
  const files = [
    ...Array.from({ length: 45 }, (_, index) => `packages/worker/src/x-${index}.test.ts`),
    "packages/sdk/src/y.test.ts",
    "setup/z.test.mjs",
  ];
  const groups = groupUnitTests(files);
  assert.deepEqual(
    groups.map(({ name, files: members }) => [name, members.length]),
    [
      ["worker-1", 15],
      ["worker-2", 15],
      ["worker-3", 15],
      ["sdk-1", 1],
      ["setup-1", 1],
    ],
  );
  assert.deepEqual(groups.flatMap((group) => group.files).sort(), [...files].sort());
});

test("groupEndToEndTests divides those that share among the groups", () => {
  const files = ["e2e/a.test.ts", "e2e/b.test.ts", "e2e/c.test.ts", "e2e/alone.test.ts"];
  const shares = (/** @type {string} */ file) => !file.includes("alone");
  assert.deepEqual(groupEndToEndTests(files, { groups: 2, shares }), {
    shared: [
      { name: "shared-installation-1", files: ["e2e/a.test.ts", "e2e/c.test.ts"] },
      { name: "shared-installation-2", files: ["e2e/b.test.ts"] },
    ],
    alone: ["e2e/alone.test.ts"],
  });
  assert.deepEqual(groupEndToEndTests(files.slice(0, 1), { groups: 2, shares }), {
    shared: [{ name: "shared-installation-1", files: ["e2e/a.test.ts"] }],
    alone: [],
  });
});

test("longestFirst moves the files that take long to the front, and keeps the order of the others", () => {
  assert.deepEqual(
    longestFirst(["a.ts", "long.test.ts", "b.ts", "longest.ts"], ["longest", "long."]),
    [...["longest.ts", "long.test.ts", "a.ts", "b.ts"]],
  );
});
