// @ts-check
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vitepress";
import { headingSlug } from "./heading-slug.mjs";
import { copyLinkedFiles, linkRepository } from "./repository-links.mjs";
import { listPages, repositoryDirectory } from "./site-pages.mjs";

const pages = listPages();
/** @type {Set<string>} */
const linkedFiles = new Set();
const titleOf = (/** @type {string} */ file) =>
  /^# (.*)$/m.exec(readFileSync(join(repositoryDirectory, file), "utf8"))?.[1] ?? file;
const linkTo = (/** @type {string} */ file) => ({
  text: titleOf(file).replaceAll("`", ""),
  link: `/${pages.get(file)}`,
});
const linksTo = (/** @type {string} */ folder) =>
  [...pages.keys()]
    .filter((file) => file.startsWith(`docs/${folder}/`) && !file.endsWith("README.md"))
    .map(linkTo);
const guide = (/** @type {string[]} */ ...names) =>
  names.map((name) => linkTo(`docs/guide/${name}.md`));

const sidebar = [
  {
    text: "Guide",
    items: [
      { text: "Overview", link: "/guide/" },
      ...guide("secrets", "secret-stores", "projects", "commands", "terminals", "saved-states"),
      ...guide("randomness", "trust", "previews", "scaling", "egress-log", "usage"),
      ...guide("events", "errors", "dashboard", "command-line", "mcp"),
      { text: "Examples", link: "/examples/" },
    ],
  },
  {
    text: "Guide to Python",
    items: guide(
      ...["python", "python-commands", "python-projects", "python-secret-stores"],
      "python-saved-states",
    ),
  },
  { text: "API reference", collapsed: true, items: linksTo("api") },
  {
    text: "For operators",
    items: [{ text: "Overview", link: "/operators/" }, ...linksTo("operators")],
  },
  {
    text: "Design",
    items: [
      ...["docs/architecture.md", "SECURITY.md", "docs/glossary.md", "docs/figures.md"].map(linkTo),
      linkTo("docs/compatibility.md"),
      { text: "Decisions", link: "/decisions/", collapsed: true, items: linksTo("decisions") },
    ],
  },
  {
    text: "Development",
    items: [
      linkTo("CONTRIBUTING.md"),
      ...[...pages.keys()]
        .filter((file) => /^(docs\/(developing|releasing)|CHANGELOG)\.md$/.test(file))
        .map(linkTo),
    ],
  },
];

/**
 * Resolves the imports of compiled pages: those outside of this folder would
 * search the packages of the service.
 *
 * @type {import("vite").Plugin}
 */
const resolveVueHere = {
  name: "resolve-vue-here",
  enforce: "pre",
  resolveId(source, importer, { ssr }) {
    if (!/^vue(\/|$)/.test(source) || importer === undefined) return null;
    // The server's bundle is run in this folder.
    if (ssr) return { id: source, external: true };
    return this.resolve(source, join(repositoryDirectory, "docs/package.json"), { skipSelf: true });
  },
};

// VitePress takes its configuration from the default export.
// biome-ignore lint/style/noDefaultExport: see above
export default defineConfig({
  title: "OpenComputer",
  description:
    "Linux virtual machines for software agents, with secrets that they can use and never see.",
  srcDir: "..",
  srcExclude: [
    ...readdirSync(repositoryDirectory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !["docs", "examples"].includes(entry.name))
      .map(({ name }) => `${name}/**`),
    "docs/.vitepress/**",
  ],
  vite: { plugins: [resolveVueHere] },
  rewrites: Object.fromEntries(pages),
  cleanUrls: true,
  lastUpdated: false,
  markdown: {
    html: false,
    linkify: false,
    anchor: { slugify: headingSlug },
    config: (md) => linkRepository(md, pages, linkedFiles),
  },
  buildEnd: ({ outDir }) => copyLinkedFiles(linkedFiles, outDir),
  themeConfig: {
    nav: [
      { text: "Guide", link: "/guide/" },
      { text: "API", link: "/api/" },
      { text: "Operators", link: "/operators/" },
      { text: "Architecture", link: "/architecture" },
    ],
    sidebar,
    outline: [2, 3],
    search: { provider: "local" },
  },
});
