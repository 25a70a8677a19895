// @ts-check
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The root of the clone. */
export const repositoryDirectory = fileURLToPath(new URL("../..", import.meta.url));

/** Pages outside of `docs`, and their paths on the site. */
const otherPages = new Map([
  ["README.md", "index.md"],
  ["CHANGELOG.md", "changelog.md"],
  ["CONTRIBUTING.md", "contributing.md"],
  ["SECURITY.md", "security.md"],
  ["examples/README.md", "examples/index.md"],
]);

/** Every page of the site: its file in the repository, and its path on the site. */
export function listPages() {
  const docs = readdirSync(join(repositoryDirectory, "docs"), { recursive: true })
    .map((name) => String(name))
    .filter((name) => name.endsWith(".md") && !/(^|\/)(node_modules|\.vitepress)\//.test(name))
    .map((name) => /** @type {[string, string]} */ ([`docs/${name}`, sitePath(name)]));
  const rootFiles = new Set(["", "examples"].flatMap((folder) => namesIn(folder)));
  const others = [...otherPages].filter(([file]) => rootFiles.has(file));
  return new Map([...others, ...docs.toSorted()]);
}

/** @param {string} name */
function sitePath(name) {
  return name.replace(/(^|\/)README\.md$/, "$1index.md");
}

/** @param {string} folder */
function namesIn(folder) {
  const directory = join(repositoryDirectory, folder);
  return existsSync(directory) ? readdirSync(directory).map((name) => join(folder, name)) : [];
}
