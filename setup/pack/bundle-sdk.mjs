// @ts-check
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { rolldown } from "rolldown";
import { dts } from "rolldown-plugin-dts";
import { projectDirectory } from "../project-steps.mjs";
import { runProgram } from "../run-program.mjs";
import { bundleOptions } from "./bundle-options.mjs";
import { publishedFields } from "./published-fields.mjs";

const sdkDirectory = join(projectDirectory, "packages/sdk");

/** The folders of `dist`, each with modules of one kind. */
const formats = /** @type {const} */ ({ esm: "es", cjs: "cjs" });

const source = (/** @type {string} */ name) => join(sdkDirectory, "src", `${name}.ts`);

/** What the SDK's code is bundled from: for Node.js, and for everything else. */
export const sdkCode = {
  /**
   * @param {string[]} external
   * @returns {import("rolldown").InputOptions}
   */
  node: (external) => ({
    ...bundleOptions({ conditions: ["node"], external }),
    input: { index: source("index"), node: source("node") },
  }),
  /**
   * @param {string[]} external
   * @returns {import("rolldown").InputOptions}
   */
  web: (external) => ({
    ...bundleOptions({ conditions: [], external }),
    input: { web: source("index") },
    platform: "browser",
  }),
};

/**
 * Bundles the SDK with its part of the protocol, as ECMAScript and as CommonJS
 * modules, for Node.js and for everything else, with declarations beside them.
 *
 * @param {Record<string, any>} manifest
 * @param {string} outputDirectory
 * @returns {Promise<object>} the manifest of the packed package
 */
export async function bundleSdk(manifest, outputDirectory) {
  await runProgram(
    process.execPath,
    [join(projectDirectory, "node_modules/typescript/bin/tsc"), "--build", sdkDirectory],
    { cwd: projectDirectory },
  );
  const declared = (/** @type {string} */ name) => join(sdkDirectory, "dist", `${name}.d.ts`);
  const dependencies = outsideDependencies(manifest);
  const external = Object.keys(dependencies);

  const bundles = await Promise.all([
    rolldown(sdkCode.node(external)),
    rolldown(sdkCode.web(external)),
    rolldown({
      input: { index: declared("index"), node: declared("node") },
      external,
      checks: { pluginTimings: false },
      plugins: [dts({ dtsInput: true, tsconfig: false, emitDtsOnly: true })],
    }),
  ]);
  for (const [folder, format] of Object.entries(formats)) {
    const dir = join(outputDirectory, folder);
    mkdirSync(dir, { recursive: true });
    const type = folder === "cjs" ? "commonjs" : "module";
    writeFileSync(join(dir, "package.json"), `${JSON.stringify({ type, sideEffects: false })}\n`);
    const [node, web, declarations] = bundles;
    await node.write({ dir, format, chunkFileNames: "shared/node-[name].js" });
    await web.write({ dir, format, chunkFileNames: "shared/web-[name].js" });
    await declarations.write({ dir, format: "es", chunkFileNames: "shared/[name].js" });
  }
  for (const bundle of bundles) await bundle.close();

  return {
    ...publishedFields(manifest, "packages/sdk"),
    type: "module",
    sideEffects: false,
    // For TypeScript with `moduleResolution: node10`, which reads no `exports`.
    main: "./dist/cjs/index.js",
    types: "./dist/cjs/index.d.ts",
    typesVersions: { "*": { node: ["./dist/cjs/node.d.ts"] } },
    exports: {
      ".": {
        import: entry("esm", "index", "web"),
        require: entry("cjs", "index", "web"),
      },
      "./node": { import: entry("esm", "node"), require: entry("cjs", "node") },
      "./package.json": "./package.json",
    },
    files: ["dist"],
    dependencies,
  };
}

/**
 * @param {keyof typeof formats} folder
 * @param {string} name
 * @param {string} [elsewhere] what others than Node.js load
 */
function entry(folder, name, elsewhere = name) {
  return {
    types: `./dist/${folder}/${name}.d.ts`,
    ...(elsewhere === name ? {} : { node: `./dist/${folder}/${name}.js` }),
    default: `./dist/${folder}/${elsewhere}.js`,
  };
}

/**
 * What is installed along: the dependencies of the SDK and of the protocol
 * that are not of this repository.
 *
 * @param {Record<string, any>} manifest
 * @returns {Record<string, string>}
 */
function outsideDependencies(manifest) {
  const protocol = JSON.parse(
    readFileSync(join(projectDirectory, "packages/protocol/package.json"), "utf8"),
  );
  const all = { ...protocol.dependencies, ...manifest["dependencies"] };
  return Object.fromEntries(
    Object.entries(all).filter(([name]) => !name.startsWith("@opencomputer/")),
  );
}
