// @ts-check
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { projectDirectory } from "./project-steps.mjs";

describe("documents name files that exist", () => {
  for (const document of [
    "README.md",
    "ARCHITECTURE.md",
    "SECURITY.md",
    "CONTRIBUTING.md",
    "docs/compatibility.md",
  ]) {
    test(document, () => {
      const text = readFileSync(join(projectDirectory, document), "utf8");
      const quoted = [...text.matchAll(/`([\w.-][\w./-]*\/[\w./-]+\.(?:ts|mjs|go|json|md))`/g)];
      const linked = [...text.matchAll(/\]\(([\w./-]+)\)/g)];
      const paths = [...quoted, ...linked].map((match) => match[1] ?? "");
      assert.ok(paths.length > 0);
      const missing = paths.filter((path) => !existsSync(join(projectDirectory, path)));
      assert.deepEqual(missing, []);
    });
  }
});
