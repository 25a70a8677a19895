// @ts-check
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { addRelease } from "./changelog.mjs";

const release = { version: "0.2.0", date: "2027-01-31" };

describe("addRelease", () => {
  test("puts the release above the earlier ones, with its changes by category", () => {
    const changelog =
      "# Changelog\n\nAll releases.\n\n## 0.1.0 (2026-11-30)\n\n### Added\n\n- All.\n";
    const summaries = ["Fixed: A hang.", "Added: Tags.\n\nSee the guide.", "Fixed: A leak.\n"];
    assert.equal(
      addRelease(changelog, { ...release, summaries }),
      `# Changelog

All releases.

## 0.2.0 (2027-01-31)

### Added

- Tags.

  See the guide.

### Fixed

- A hang.
- A leak.

## 0.1.0 (2026-11-30)

### Added

- All.
`,
    );
  });

  test("begins a changelog without releases", () => {
    assert.equal(
      addRelease("# Changelog\n", { ...release, summaries: ["Security: A leak."] }),
      "# Changelog\n\n## 0.2.0 (2027-01-31)\n\n### Security\n\n- A leak.\n",
    );
  });

  for (const summary of ["A hang is fixed.", "Mended: A hang.", "Fixed:", "fixed: A hang."]) {
    test(`refuses ${JSON.stringify(summary)}`, () => {
      assert.throws(
        () => addRelease("", { ...release, summaries: [summary] }),
        /names no category: .* Added, Changed, /,
      );
    });
  }
});
