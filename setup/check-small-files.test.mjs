// @ts-check
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { checkSmallFiles, exceptions } from "./check-small-files.mjs";
import { projectDirectory } from "./project-steps.mjs";
import { createSourceTree } from "./source-tree.mjs";

describe("checkSmallFiles", () => {
  const importing = 'import { part } from "./part.ts";\npart();\n';
  const part = "export function part() {}\n";
  /** @type {ReturnType<typeof createSourceTree>} */
  let tree;
  beforeEach(() => {
    tree = createSourceTree();
  });
  afterEach(() => tree.remove());

  test("refuses a small file that only one file and tests import", async () => {
    tree.write({
      "bench/src/main.ts": importing,
      "bench/src/other.test.ts": importing,
      "bench/src/part.ts": part,
    });
    await assert.rejects(checkSmallFiles(tree.directory), {
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
      tree.write({ "bench/src/main.ts": importing, "bench/src/part.ts": part, ...files });
      await checkSmallFiles(tree.directory);
    });
  }

  test("permits what the index of a package exports", async () => {
    tree.write({
      "bench/src/index.ts": 'export { part } from "./part.ts";\n',
      "bench/src/part.ts": part,
    });
    await checkSmallFiles(tree.directory);
  });
});

test("each exception exists", () => {
  assert.deepEqual(
    Object.keys(exceptions).filter((file) => !existsSync(join(projectDirectory, file))),
    [],
  );
});
