// @ts-check
import { SetupError } from "../setup-error.mjs";

/** The sections of a release, in the order of https://keepachangelog.com. */
const categories = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"];

/**
 * The changelog with a new release above the earlier ones. Each summary
 * begins with its category: `Fixed: …`.
 *
 * @param {string} changelog
 * @param {{ version: string, date: string, summaries: readonly string[] }} release
 * @throws {SetupError} for a summary without a category
 */
export function addRelease(changelog, { version, date, summaries }) {
  const changes = summaries.map(parseChange);
  const sections = categories.flatMap((category) => {
    const texts = changes.filter((change) => change.category === category).map(({ text }) => text);
    return texts.length === 0 ? [] : [`### ${category}\n\n${texts.map(listItem).join("\n")}\n`];
  });
  const section = `## ${version} (${date})\n\n${sections.join("\n")}`;
  const earlier = changelog.search(/^## /m);
  if (earlier === -1) return `${changelog.trimEnd()}\n\n${section}`;
  return `${changelog.slice(0, earlier)}${section}\n${changelog.slice(earlier)}`;
}

/** @param {string} summary */
export function parseChange(summary) {
  const match = /^(?<category>\w+): (?<text>\S.*)$/s.exec(summary.trim());
  const { category = "", text = "" } = match?.groups ?? {};
  if (!categories.includes(category)) {
    throw new SetupError(
      `The change ${JSON.stringify(summary.trim().split("\n")[0])} names no category: begin its text in .changeset with one of ${categories.join(", ")}, and a colon.`,
    );
  }
  return { category, text };
}

/** @param {string} text */
function listItem(text) {
  return `- ${text.replaceAll(/\n(?=.)/g, "\n  ")}`;
}
