// @ts-check
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * The license texts of the packages that modules are of: who passes the
 * modules on, as a bundle does, has to pass these on with them.
 *
 * @param {readonly string[]} modules paths
 * @returns {string}
 */
export function collectLicenses(modules) {
  const folders = modules.flatMap((path) => {
    const found = /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(path);
    return found === null ? [] : [found[0]];
  });
  return [...new Set(folders)].sort().map(describePackage).join("\n");
}

/** @param {string} folder */
function describePackage(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const texts = readdirSync(folder)
    .filter((file) => /^(licen[cs]e|notice|copying)/i.test(file))
    .map((file) => readFileSync(join(folder, file), "utf8").trim());
  return [`${name} ${version} (${license})`, "", ...texts, ""].join("\n");
}
