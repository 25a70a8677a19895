// @ts-check
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { projectDirectory } from "./project-steps.mjs";
import { findTestFiles } from "./test-files.mjs";

const guideDirectory = "docs/guide";
const operatorsDirectory = "docs/operators";
const read = (/** @type {string} */ document) =>
  readFileSync(join(projectDirectory, document), "utf8");

describe("documents name files that exist", () => {
  for (const document of [
    "README.md",
    "ARCHITECTURE.md",
    "SECURITY.md",
    "CONTRIBUTING.md",
    "docs/compatibility.md",
    ...[guideDirectory, operatorsDirectory].flatMap((directory) =>
      readdirSync(join(projectDirectory, directory)).map((name) => join(directory, name)),
    ),
  ]) {
    test(document, () => {
      const text = read(document);
      const quoted = [...text.matchAll(/`([\w.-][\w./-]*\/[\w./-]+\.(?:ts|mjs|go|json|md))`/g)].map(
        ([, path = ""]) => path,
      );
      const linked = [...text.matchAll(/\]\(([\w./-]+)\)/g)].map(([, path = ""]) =>
        join(dirname(document), path),
      );
      const mayNameNone = [guideDirectory, operatorsDirectory].includes(dirname(document));
      assert.ok(mayNameNone || quoted.length + linked.length > 0);
      const missing = [...quoted, ...linked].filter(
        (path) => !existsSync(join(projectDirectory, path)),
      );
      assert.deepEqual(missing, []);
    });
  }
});

test("every row of docs/compatibility.md names tests that are run", () => {
  const tests = findTestFiles(projectDirectory).flatMap(({ files }) => files);
  // The API suite is run by the tests of each kind of database, others by Go and by pytest.
  const isRun = (/** @type {string} */ path) =>
    tests.includes(path) ||
    /\/testing\/api-suite\/[\w-]+\.ts$|_test\.go$|^sdk-python\/tests\/test_\w+\.py$/.test(path);
  const rows = read("docs/compatibility.md")
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .slice(2)
    .map((line) => line.split("|").map((cell) => cell.trim()));
  assert.ok(rows.length > 20);
  for (const [, , feature = "", namedTests = ""] of rows) {
    const paths = namedTests.split(", ").map((path) => path.replace(/^`(.*)`$/, "$1"));
    assert.deepEqual(
      paths.filter((path) => !isRun(path)),
      [],
      feature,
    );
  }
});
