// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatFailures, formatSlowest, mergeResults, noResults } from "./results.mjs";

const tests = [
  { name: "quick", file: "a.test.ts", milliseconds: 100 },
  { name: "slow", file: "b.test.ts", milliseconds: 2500 },
  { name: "also slow", file: "a.test.ts", milliseconds: 2450 },
];

test("mergeResults adds counts and joins lists", () => {
  const failures = [{ name: "quick", file: "a.test.ts", message: "1 !== 2" }];
  const one = { passed: 2, failed: 1, failures, skipped: ["a"], tests: tests.slice(0, 1) };
  const other = { passed: 3, failed: 0, failures: [], skipped: ["b"], tests: tests.slice(1) };
  assert.deepEqual(mergeResults([one, noResults(), other]), {
    passed: 5,
    failed: 1,
    failures,
    skipped: ["a", "b"],
    tests,
  });
});

test("formatSlowest lists the longest tests and files first, as many as asked for", () => {
  assert.equal(
    formatSlowest({ ...noResults(), tests }, 2),
    `The 2 slowest tests
     2.5 s  slow (b.test.ts)
     2.5 s  also slow (a.test.ts)
The 2 slowest files, by the sum of their tests
     2.5 s  a.test.ts
     2.5 s  b.test.ts
`,
  );
});

test("formatFailures names each failed test with its message in one line", () => {
  const failures = [
    { name: "one", file: "a.test.ts", message: "\nExpected 1\nfound 2" },
    { name: "two", file: "b.test.ts", message: "why" },
    { name: "three", file: "b.test.ts", message: "why" },
  ];
  assert.equal(
    formatFailures({ ...noResults(), failures }, 2),
    `Failed
  a.test.ts: one: Expected 1 found 2
  b.test.ts: two: why
  and 1 more
`,
  );
  assert.equal(formatFailures(noResults(), 2), "");
});
