// @ts-check
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { renderApiReference } from "../../docs/.vitepress/api-reference.mjs";
import { listPages } from "../../docs/.vitepress/site-pages.mjs";
import { installPackagesOf, projectDirectory } from "../project-steps.mjs";
import { runProgram } from "../run-program.mjs";

const docsDirectory = join(projectDirectory, "docs");
const generatorDirectory = join(docsDirectory, ".vitepress");
const referenceDirectory = join(docsDirectory, "api");

/** Where the site is built. */
export const siteDirectory = join(generatorDirectory, "dist");

/**
 * Installs the generator of the site, which has its own lock file.
 *
 * @param {(text: string) => void} report
 */
export function installSiteGenerator(report) {
  return installPackagesOf(docsDirectory, report);
}

/**
 * Builds the site, unless it is that of the present pages.
 *
 * @param {(text: string) => void} report
 */
export async function buildSite(report) {
  report("API reference");
  await writeApiReference();
  const stamp = join(siteDirectory, ".fingerprint");
  const fingerprint = fingerprintOfSite();
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === fingerprint) return null;
  report("pages");
  const program = join(docsDirectory, "node_modules/vitepress/bin/vitepress.js");
  await runProgram(process.execPath, [program, "build", docsDirectory], { cwd: projectDirectory });
  copyFileSync(join(referenceDirectory, "openapi.json"), join(siteDirectory, "openapi.json"));
  writeFileSync(stamp, fingerprint);
  return "built";
}

/** Writes the pages of the reference, from the routes of the API. */
async function writeApiReference() {
  const program = "packages/control-plane/src/testing/print-api-description.ts";
  const printed = await runProgram(process.execPath, ["--conditions=source", program], {
    cwd: projectDirectory,
  });
  const description = JSON.parse(printed);
  rmSync(referenceDirectory, { recursive: true, force: true });
  mkdirSync(referenceDirectory);
  for (const [name, page] of renderApiReference(description)) {
    writeFileSync(join(referenceDirectory, name), `${page}\n`);
  }
  const document = JSON.stringify(description.openApi, null, 2);
  writeFileSync(join(referenceDirectory, "openapi.json"), `${document}\n`);
}

/** A digest of everything that the site is built from. */
function fingerprintOfSite() {
  const otherFiles = ["docs/.vitepress", "docs/pictures", "examples"].flatMap((folder) =>
    readdirSync(join(projectDirectory, folder), { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => join(folder, name)),
  );
  const hash = createHash("sha256").update(process.version);
  for (const file of [...listPages().keys(), ...otherFiles, "docs/package-lock.json"]) {
    hash.update(`${file}\n`).update(readFileSync(join(projectDirectory, file)));
  }
  return hash.digest("hex");
}
