// @ts-check
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { projectDirectory } from "./project-steps.mjs";
import { fingerprintOf, isUpToDate, keepFingerprint } from "./source-fingerprint.mjs";

const sourceDirectory = join(projectDirectory, "packages/dashboard");
/** Beside what the control plane is compiled to: it serves these files, and sees no others. */
const outputDirectory = join(projectDirectory, "packages/control-plane/dist/dashboard");

/**
 * Bundles the dashboard, unless it is that of the present sources.
 *
 * @param {(text: string) => void} report
 * @returns {Promise<string | null>}
 */
export async function buildDashboard(report) {
  const fingerprint = fingerprintOf(
    ["packages/dashboard", "packages/sdk/src", "packages/protocol/src/api"],
    ["package-lock.json", "setup/dashboard.mjs"],
  );
  if (isUpToDate(outputDirectory, fingerprint)) return null;
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
  keepFingerprint(outputDirectory, fingerprint);
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
