import type { SandboxSummary } from "@opencomputer/sdk";

/**
 * The sandboxes in which every word of the search occurs: in the id, the
 * status or the template, or in a tag or an entry of the metadata as
 * `key=value`. A word with `=` is a whole tag or entry, whose value may go on.
 */
export function searchSandboxes(
  sandboxes: readonly SandboxSummary[],
  search: string,
): SandboxSummary[] {
  const words = search
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  return sandboxes.filter((sandbox) => words.every((word) => occurs(sandbox, word)));
}

function occurs(sandbox: SandboxSummary, word: string): boolean {
  const labels = [sandbox.tags, sandbox.metadata]
    .flatMap((entries) => Object.entries(entries))
    .map(([key, value]) => `${key}=${value}`.toLowerCase());
  if (word.includes("=")) return labels.some((label) => label.startsWith(word));
  const texts = [sandbox.sandboxID, sandbox.status, sandbox.template, ...labels];
  return texts.some((text) => text.toLowerCase().includes(word));
}
