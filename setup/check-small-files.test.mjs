// @ts-check
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { checkSmallFiles, exceptions } from "./check-small-files.mjs";
import { sources } from "./cruise-sources.mjs";
import { projectDirectory } from "./project-steps.mjs";

describe("checkSmallFiles", () => {
  const importing = 'import { part } from "./part.ts";\npart();\n';
  const part = "export function part() {}\n";
  /** @type {string} */
  let directory;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "small-files-"));
    for (const source of sources) mkdirSync(join(directory, source));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  /** @param {Record<string, string>} files text by path */
  const write = (files) => {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(directory, dirname(path)), { recursive: true });
      writeFileSync(join(directory, path), text);
    }
  };

  test("refuses a small file that only one file and tests import", async () => {
    write({
      "bench/src/main.ts": importing,
      "bench/src/other.test.ts": importing,
      "bench/src/part.ts": part,
    });
    await assert.rejects(checkSmallFiles(directory), {
      message: /bench\/src\/part\.ts belongs in bench\/src\/main\.ts/,
    });
  });

  /** @type {Record<string, Record<string, string>>} */
  const permitted = {
    "that several files import, also for its types": {
      "bench/src/other.ts":
        'import type { part } from "./part.ts";\nexport type Part = typeof part;\n',
    },
    "with a test of its own": { "bench/src/part.test.ts": importing },
    "of 25 lines": { "bench/src/part.ts": part + "// a line\n".repeat(24) },
  };
  for (const [what, files] of Object.entries(permitted)) {
    test(`permits a file ${what}`, async () => {
      write({ "bench/src/main.ts": importing, "bench/src/part.ts": part, ...files });
      await checkSmallFiles(directory);
    });
  }

  test("permits what the index of a package exports", async () => {
    write({
      "bench/src/index.ts": 'export { part } from "./part.ts";\n',
      "bench/src/part.ts": part,
    });
    await checkSmallFiles(directory);
  });
});

test("each exception exists", () => {
  assert.deepEqual(
    Object.keys(exceptions).filter((file) => !existsSync(join(projectDirectory, file))),
    [],
  );
});
