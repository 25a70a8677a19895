// @ts-check
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { describe, test } from "node:test";
import { headingSlug } from "../../docs/.vitepress/heading-slug.mjs";
import { listPages } from "../../docs/.vitepress/site-pages.mjs";
import { projectDirectory } from "../project-steps.mjs";
import { findTestFiles } from "../test/test-files.mjs";

const read = (/** @type {string} */ document) =>
  readFileSync(join(projectDirectory, document), "utf8");
const pages = [...listPages().keys()].filter((page) => !page.startsWith("docs/api/"));
const withoutFences = (/** @type {string} */ text) => text.replace(/^ *```.*?^ *```$/gms, "");

/** The pages that describe no code, unlike the rest. */
const mayNameNone = (/** @type {string} */ document) =>
  /^(docs\/(guide|operators|decisions)|examples|sdk-python)\//.test(document);

/** @param {string} document */
function anchorsOf(document) {
  const headings = [...withoutFences(read(document)).matchAll(/^#+ (.*)$/gm)];
  return headings.map(([, heading = ""]) =>
    headingSlug(heading.replaceAll("`", "").replace(/\[(.*?)\]\(.*?\)/g, "$1")),
  );
}

describe("pages name files and headings that exist", () => {
  for (const document of pages) {
    test(document, () => {
      const text = withoutFences(read(document));
      const quoted = [
        ...text.matchAll(/`([\w.-][\w./-]*\/[\w./-]+\.(?:ts|mjs|go|json|md|py))`/g),
        ...text.matchAll(/`((?:packages|guest-agent)\/[\w./-]+)`/g),
      ].map(([, path = ""]) => path);
      const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link);
      assert.ok(mayNameNone(document) || quoted.length + links.length > 0);
      const faults = quoted.filter((path) => !existsSync(join(projectDirectory, path)));
      for (const link of links.filter((link) => !/^[a-z]+:/.test(link))) {
        const [path = "", anchor] = link.split("#");
        const target = path === "" ? document : join(dirname(document), path);
        if (!existsSync(join(projectDirectory, target))) faults.push(link);
        else if (anchor !== undefined && !anchorsOf(target).includes(anchor)) faults.push(link);
      }
      assert.deepEqual(faults, []);
    });
  }
});

test("an anchor is the one that GitHub makes", () => {
  assert.equal(headingSlug("Session (egress)"), "session-egress");
  assert.equal(headingSlug("What `oc` prints, and why: 1 – 2"), "what-oc-prints-and-why-1--2");
});

test("README.md and the tables of contents name every page", () => {
  const linked = (/** @type {string} */ document) =>
    [...read(document).matchAll(/\]\(([^)#\s]+)[^)\s]*\)/g)].map(([, path = ""]) =>
      relative(projectDirectory, join(projectDirectory, dirname(document), path)),
    );
  const contents = pages.filter((page) => /(^|\/)README\.md$|^CONTRIBUTING\.md$/.test(page));
  const named = contents.flatMap(linked);
  assert.deepEqual(
    pages.filter((page) => page !== "README.md" && !named.includes(page)),
    [],
  );
});

test("docs/operators/settings.md has every setting of the service", () => {
  const settings = read("packages/protocol/src/wire/process/settings.ts");
  const names = new Set(settings.match(/\b(?:OPENCOMPUTER|OPENSANDBOX)_[A-Z_]*[A-Z]\b/g));
  assert.ok(names.size > 20);
  const documented = read("docs/operators/settings.md");
  assert.deepEqual(
    [...names].filter((name) => !documented.includes(`\`${name}\``)),
    [],
  );
});

test("every row of docs/compatibility.md names tests that are run", () => {
  const tests = Object.values(findTestFiles(projectDirectory)).flat();
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
