// @ts-check
import { createHash } from "node:crypto";
import { existsSync, globSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { projectDirectory } from "./project-steps.mjs";

const sourceDirectory = join(projectDirectory, "packages/dashboard");
/** Beside what the control plane is compiled to: it serves these files, and sees no others. */
const outputDirectory = join(projectDirectory, "packages/control-plane/dist/dashboard");
const stamp = join(outputDirectory, ".fingerprint");

/**
 * Bundles the dashboard, unless it is that of the present sources.
 *
 * @param {(text: string) => void} report
 * @returns {Promise<string | null>}
 */
export async function buildDashboard(report) {
  const fingerprint = fingerprintOfSources();
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === fingerprint) return null;
  report("bundling");
  const { build, defaultClientConditions } = await import("vite");
  await build({
    root: sourceDirectory,
    configFile: false,
    logLevel: "error",
    publicDir: false,
    // The SDK's own sources: what is compiled for Node may be older.
    resolve: { conditions: ["source", ...defaultClientConditions] },
    build: {
      outDir: outputDirectory,
      emptyOutDir: true,
      target: "es2022",
      // A script in the page would be against its security policy.
      modulePreload: { polyfill: false },
      assetsInlineLimit: 0,
    },
  });
  const bytes = compressAssets();
  writeFileSync(stamp, fingerprint);
  return `built, ${Math.round(bytes / 1000)} KB compressed`;
}

/** Writes a compressed form beside each file that is worth it. Returns their bytes in Brotli. */
function compressAssets() {
  const directory = join(outputDirectory, "assets");
  let bytes = 0;
  for (const name of readdirSync(directory)) {
    const content = readFileSync(join(directory, name));
    const brotli = brotliCompressSync(content);
    bytes += brotli.length;
    writeFileSync(join(directory, `${name}.br`), brotli);
    writeFileSync(join(directory, `${name}.gz`), gzipSync(content, { level: 9 }));
  }
  return bytes;
}

/** A digest of everything that the dashboard is built from. */
function fingerprintOfSources() {
  const hash = createHash("sha256").update(process.version);
  const files = [
    ...filesOf("packages/dashboard"),
    ...filesOf("packages/sdk/src"),
    ...filesOf("packages/protocol/src/api"),
    ...["package-lock.json", "setup/dashboard.mjs"],
  ];
  for (const file of files) {
    hash.update(`${file}\n`).update(readFileSync(join(projectDirectory, file)));
  }
  return hash.digest("hex");
}

/** @param {string} folder */
function filesOf(folder) {
  return globSync(`${folder}/**/*.{ts,tsx,css,html,json}`, { cwd: projectDirectory })
    .filter((file) => !file.includes("node_modules"))
    .sort();
}
