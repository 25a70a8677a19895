// @ts-check
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectDirectory } from "../project-steps.mjs";

/**
 * The fields that the manifests of all packed packages have: those of the
 * package, and those that the root manifest states once for the project.
 *
 * @param {Record<string, any>} manifest
 * @param {string} directory of the package, in the repository
 */
export function publishedFields(manifest, directory) {
  const root = JSON.parse(readFileSync(join(projectDirectory, "package.json"), "utf8"));
  return {
    name: manifest["name"],
    version: manifest["version"],
    description: manifest["description"],
    license: manifest["license"],
    repository: { ...root.repository, directory },
    engines: root.engines,
  };
}
