// @ts-check
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { bundleOptions } from "./pack/bundle-options.mjs";
import { projectDirectory } from "./project-steps.mjs";
import { runProgram } from "./run-program.mjs";
import { fingerprintOf, isUpToDate, keepFingerprint } from "./source-fingerprint.mjs";

const packagesDirectory = join(projectDirectory, "packages");

/**
 * The main files of each package that has programs, by the names of what they are bundled to.
 *
 * @type {Record<string, Record<string, string>>}
 */
const mainFiles = {
  cli: { main: "main.ts" },
  "control-plane": { main: "main.ts" },
  "egress-proxy": { main: "main.ts" },
  standalone: { main: "main.ts" },
  worker: { main: "main.ts", host: "host/main.ts" },
};

/**
 * Bundles the programs of each package whose sources have changed: most of the
 * time that a process takes to start would otherwise go into finding its
 * thousand modules. This is done by another process, since the bundler keeps the
 * memory that it used.
 */
export async function bundlePrograms() {
  const shared = fingerprintOf(
    ["packages/sdk/src", "packages/protocol/src", "packages/process/src"],
    ["package-lock.json", "setup/bundle-programs.mjs", "setup/pack/bundle-options.mjs"],
  );
  const changed = Object.keys(mainFiles)
    .map((name) => ({ name, fingerprint: shared + fingerprintOf([`packages/${name}/src`], []) }))
    .filter(({ name, fingerprint }) => !isUpToDate(outputDirectoryOf(name), fingerprint));
  if (changed.length === 0) return null;
  const names = changed.map(({ name }) => name);
  await runProgram(process.execPath, [fileURLToPath(import.meta.url), ...names]);
  for (const { name, fingerprint } of changed) {
    keepFingerprint(outputDirectoryOf(name), fingerprint);
  }
  return "bundled";
}

/** @param {string} name of a package */
async function bundlePackage(name) {
  const outputDirectory = outputDirectoryOf(name);
  const { rolldown } = await import("rolldown");
  const bundle = await rolldown({
    ...bundleOptions({ conditions: ["node"], external: [] }),
    plugins: [keepModuleUrls(outputDirectory)],
    input: Object.fromEntries(
      Object.entries(mainFiles[name] ?? {}).map(([entry, file]) => [
        entry,
        join(packagesDirectory, name, "src", file),
      ]),
    ),
  });
  const { output } = await bundle.write({
    dir: outputDirectory,
    cleanDir: true,
    format: "esm",
    sourcemap: true,
    sourcemapExcludeSources: true,
    comments: false,
    entryFileNames: "[name].js",
    chunkFileNames: "[name]-[hash].js",
    codeSplitting: { groups: [{ name: "libraries", test: /[\\/]node_modules[\\/]/ }] },
  });
  await bundle.close();
  for (const file of output) {
    if (file.type === "chunk" && file.name === "libraries") {
      removeMap(join(outputDirectory, file.fileName));
    }
  }
}

/** @param {string} name of a package */
function outputDirectoryOf(name) {
  return join(packagesDirectory, name, "dist/program");
}

/**
 * Leaves `import.meta.url` of a module as it is without a bundle: the URL of
 * the file that the module is compiled to.
 *
 * @param {string} outputDirectory of every file of the bundle
 * @returns {import("rolldown").Plugin}
 */
function keepModuleUrls(outputDirectory) {
  return {
    name: "keep-module-urls",
    transform: {
      filter: { id: /\/packages\/[a-z-]+\/src\//, code: /\bimport\.meta\.url\b/ },
      handler(code, id) {
        const compiled = id.replace(/\/src\/(.*)\.ts$/, "/dist/$1.js");
        const path = relative(outputDirectory, compiled);
        const url = `new URL(${JSON.stringify(path)}, import.meta.url).href`;
        return { code: code.replaceAll(/\bimport\.meta\.url\b/g, url), map: null };
      },
    },
  };
}

/**
 * Node reads the map of each file that it loads, and that of all libraries
 * costs a process 80 MiB of memory.
 *
 * @param {string} file of a bundle
 */
function removeMap(file) {
  writeFileSync(file, readFileSync(file, "utf8").replace(/^\/\/# sourceMappingURL=.*$/m, ""));
  rmSync(`${file}.map`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await Promise.all(process.argv.slice(2).map(bundlePackage));
}
