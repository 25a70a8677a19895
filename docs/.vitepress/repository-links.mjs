// @ts-check
import { copyFileSync, mkdirSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { repositoryDirectory } from "./site-pages.mjs";

/** The folder of the site that has the files which pages link to, as text. */
const filesFolder = "files";

/**
 * Makes links between files of the repository work on the site. A link to a
 * page leads to that page; a link to another file leads to a copy of it.
 *
 * @param {import("vitepress").MarkdownRenderer} md
 * @param {Map<string, string>} pages files of the repository and their paths on the site
 * @param {Set<string>} linkedFiles gets each file that is not a page
 */
export function linkRepository(md, pages, linkedFiles) {
  md.core.ruler.push("repository-links", ({ tokens, env }) => {
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      const href = token.type === "link_open" ? token.attrGet("href") : null;
      if (href === null || /^(#|\/|[a-z]+:)/.test(href)) continue;
      const [path = "", anchor] = href.split("#");
      const page = env.realPath ?? env.path;
      const file = relative(repositoryDirectory, join(dirname(page), decodeURI(path)));
      const target = pages.get(file);
      if (target !== undefined) {
        token.attrSet("href", `/${target}${anchor === undefined ? "" : `#${anchor}`}`);
        continue;
      }
      if (!statSync(join(repositoryDirectory, file), { throwIfNoEntry: false })?.isFile()) {
        const name = relative(repositoryDirectory, page);
        throw new Error(`${name} links to ${file}, which is not a file: change the link`);
      }
      linkedFiles.add(file);
      token.attrSet("href", `/${filesFolder}/${file}.txt`);
      token.attrSet("target", "_self");
    }
  });
}

/**
 * Copies files of the repository to where the links of the site lead.
 *
 * @param {Iterable<string>} files
 * @param {string} siteDirectory
 */
export function copyLinkedFiles(files, siteDirectory) {
  for (const file of files) {
    const copy = join(siteDirectory, filesFolder, `${file}.txt`);
    mkdirSync(dirname(copy), { recursive: true });
    copyFileSync(join(repositoryDirectory, file), copy);
  }
}
