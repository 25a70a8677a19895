// @ts-check
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { readChangesets } from "@changesets/read";
import { projectDirectory } from "../project-steps.mjs";
import { parseChange } from "./changelog.mjs";
import { manifestFiles } from "./write-lock-file.mjs";
import { filesNamingTarballs, pythonManifest, tarballPattern } from "./write-version.mjs";

const read = (/** @type {string} */ file) => readFileSync(join(projectDirectory, file), "utf8");
const root = JSON.parse(read("package.json"));
const isOurs = (/** @type {string} */ name) => name.startsWith("@opencomputer/");

describe("all manifests agree", () => {
  for (const file of manifestFiles()) {
    test(file, () => {
      const manifest = JSON.parse(read(file));
      assert.equal(manifest.version, root.version);
      assert.equal(manifest.license, root.license);
      assert.equal(manifest.private, true, "Only `npm run pack` makes packages that are published");
      // The root states it once; packed packages get it from there.
      assert.deepEqual(manifest.engines, file === "package.json" ? root.engines : undefined);

      const ranges = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
      for (const [name, range] of ranges) {
        const expected = isOurs(name) ? `^${root.version}` : /^[~^]?\d/;
        assert.match(range, expected instanceof RegExp ? expected : exactly(expected), name);
      }
    });
  }

  test(pythonManifest, () => {
    const text = read(pythonManifest);
    assert.match(text, exactly(`version = "${root.version}"`, "m"));
    assert.match(text, exactly(`license = "${root.license}"`, "m"));
  });

  test("package-lock.json", () => {
    const { packages } = JSON.parse(read("package-lock.json"));
    for (const file of manifestFiles()) {
      const folder = file.replace(/\/?package\.json$/, "");
      const { version, dependencies = {}, devDependencies = {} } = JSON.parse(read(file));
      const locked = packages[folder] ?? {};
      assert.equal(locked.version, version, `${file}: run \`npm run lock\``);
      assert.deepEqual(
        [locked.dependencies ?? {}, locked.devDependencies ?? {}],
        [dependencies, devDependencies],
        `${file}: run \`npm run lock\``,
      );
    }
  });
});

test("documents name tarballs of the present version", async () => {
  for (const file of await filesNamingTarballs()) {
    for (const [tarball, , version] of read(file).matchAll(tarballPattern)) {
      assert.equal(version, root.version, `${file}: ${tarball}`);
    }
  }
});

test("every change of the next release names its category", async () => {
  for (const { summary } of await readChangesets(projectDirectory)) parseChange(summary);
});

/**
 * @param {string} text
 * @param {string} [flags]
 */
function exactly(text, flags) {
  return new RegExp(`^${text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&")}$`, flags);
}
