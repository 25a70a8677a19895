// @ts-check
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { rolldown } from "rolldown";
import { projectDirectory } from "../project-steps.mjs";
import { bundleOptions } from "./bundle-options.mjs";
import { collectLicenses } from "./collect-licenses.mjs";
import { publishedFields } from "./published-fields.mjs";

/**
 * Bundles `oc` with everything that it uses: it starts sooner than from many
 * files, and is installed without a registry. What a command alone needs is
 * in files of its own, loaded with it.
 *
 * @param {Record<string, any>} manifest
 * @param {string} outputDirectory
 * @returns {Promise<object>} the manifest of the packed package
 */
export async function bundleCli(manifest, outputDirectory) {
  const bundle = await rolldown({
    ...bundleOptions({ conditions: ["node"], external: [] }),
    input: { oc: join(projectDirectory, "packages/cli/src/main.ts") },
  });
  const { output } = await bundle.write({
    dir: outputDirectory,
    // Node.js starts CommonJS sooner.
    format: "cjs",
    minify: true,
    chunkFileNames: "parts/[name].js",
    banner: (chunk) => (chunk.isEntry ? "#!/usr/bin/env node" : ""),
  });
  await bundle.close();
  const modules = output.flatMap((file) => (file.type === "chunk" ? file.moduleIds : []));
  writeFileSync(
    join(dirname(outputDirectory), "THIRD-PARTY-LICENSES.txt"),
    collectLicenses(modules),
  );

  return {
    ...publishedFields(manifest, "packages/cli"),
    type: "commonjs",
    bin: { oc: "./dist/oc.js" },
    files: ["dist", "THIRD-PARTY-LICENSES.txt"],
  };
}
