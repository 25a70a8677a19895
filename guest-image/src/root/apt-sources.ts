import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { ProgramError, runProgram } from "../run-program.ts";

/** Debian release of the guest. */
export const guestRelease = "bookworm";

const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Options for reaching a mirror, as opposed to those for what is installed. */
const transportOption =
  /^Acquire::(?:http|https|ForceIPv[46]|Retries|Check-Date|Check-Valid-Until)\b/i;

/** One entry of an apt sources file; the fields are those of sources.list(5). */
export interface AptSource {
  uri: string;
  suite: string;
  components: readonly string[];
  signedBy: string | undefined;
}

/** Debian's own mirrors, which every sandbox uses. */
export const publicSources: readonly AptSource[] = [
  source("http://deb.debian.org/debian", guestRelease),
  source("http://deb.debian.org/debian", `${guestRelease}-updates`),
  source("http://deb.debian.org/debian-security", `${guestRelease}-security`),
];

/**
 * Finds the sources to build from: those of the host if it runs the guest's
 * release, so that the operator's mirrors are used; else Debian's own.
 */
export async function findSources(etc = "/etc"): Promise<readonly AptSource[]> {
  const sources = (await readSourceFiles(join(etc, "apt"))).filter(
    ({ suite, components }) =>
      (suite === guestRelease || suite.startsWith(`${guestRelease}-`)) &&
      components.includes("main"),
  );
  return sources.some(({ suite }) => suite === guestRelease) ? sources : publicSources;
}

/** Formats sources as the text of a `.sources` file. */
export function formatSources(sources: readonly AptSource[]): string {
  return sources
    .map(({ uri, suite, components, signedBy }) =>
      [
        "Types: deb",
        `URIs: ${uri}`,
        `Suites: ${suite}`,
        `Components: ${components.join(" ")}`,
        ...(signedBy === undefined ? [] : [`Signed-By: ${signedBy}`]),
        "",
      ].join("\n"),
    )
    .join("\n");
}

/** Parses entries of the one-line form, and skips other lines. */
export function parseSourceLines(text: string): AptSource[] {
  return text.split("\n").flatMap((line) => {
    const match =
      /^deb\s+(?:\[(?<options>[^\]]*)\]\s+)?(?<uri>\S+)\s+(?<suite>\S+)\s+(?<components>[^#]+)/.exec(
        line.trim(),
      );
    const { options, uri, suite, components } = match?.groups ?? {};
    if (uri === undefined || suite === undefined || components === undefined) return [];
    const signedBy = /(?:^|\s)signed-by=(?<path>\S+)/.exec(options ?? "")?.groups?.["path"];
    return [{ uri, suite, components: components.trim().split(/\s+/), signedBy }];
  });
}

/** Parses entries of the stanza form (deb822). An embedded key is ignored. */
export function parseSourceStanzas(text: string): AptSource[] {
  const bare = text.replace(/^#.*\n?/gm, "");
  return bare.split(/\n\s*\n/).flatMap((stanza) => {
    const fields = new Map<string, string>();
    for (const { groups } of stanza.matchAll(/^(?<name>[A-Za-z-]+):(?<value>.*(?:\n[ \t].*)*)/gm)) {
      const { name, value } = groups ?? {};
      if (name !== undefined && value !== undefined) fields.set(name.toLowerCase(), value.trim());
    }
    const words = (name: string): string[] =>
      (fields.get(name) ?? "").split(/\s+/).filter((word) => word !== "");
    const enabled = fields.get("enabled")?.toLowerCase() !== "no";
    if (!enabled || !words("types").includes("deb")) return [];
    const key = fields.get("signed-by");
    const signedBy = key?.startsWith("/") === true ? key : undefined;
    return words("uris").flatMap((uri) =>
      words("suites").map((suite) => ({ uri, suite, components: words("components"), signedBy })),
    );
  });
}

/** Reads the host's apt options for proxies and the like; none on a host without apt. */
export async function findAptOptions(): Promise<string[]> {
  try {
    const dump = await runProgram(["apt-config", "dump", "--no-empty"]);
    return selectTransportOptions(dump);
  } catch (error) {
    if (error instanceof ProgramError) return [];
    throw error;
  }
}

/** Selects the lines of `apt-config dump` that are transport options. */
export function selectTransportOptions(dump: string): string[] {
  return dump.split("\n").filter((line) => transportOption.test(line));
}

function source(uri: string, suite: string): AptSource {
  return { uri, suite, components: ["main"], signedBy: keyring };
}

async function readSourceFiles(directory: string): Promise<AptSource[]> {
  const found: AptSource[] = parseSourceLines(await readIfPresent(join(directory, "sources.list")));
  const partsDirectory = join(directory, "sources.list.d");
  for (const name of (await namesIfPresent(partsDirectory)).sort()) {
    const path = join(partsDirectory, name);
    if (name.endsWith(".list")) found.push(...parseSourceLines(await readIfPresent(path)));
    if (name.endsWith(".sources")) found.push(...parseSourceStanzas(await readIfPresent(path)));
  }
  return found;
}

async function readIfPresent(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isAbsent(error)) return "";
    throw error;
  }
}

async function namesIfPresent(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
