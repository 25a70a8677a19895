import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { formatEnvironment, guestEnvironment } from "../root/guest-environment.ts";
import { rootFiles } from "../root/root-files.ts";

/**
 * Computes a digest of everything that an image is made from: the agent's
 * sources, the build's own sources, and what it uses of the protocol. New
 * versions of Debian's packages do not change it.
 */
export async function computeFingerprint(sources: {
  agentDirectory: string;
  buildDirectory: string;
}): Promise<string> {
  const hash = createHash("sha256");
  const add = (name: string, content: string | Buffer): void => {
    hash.update(`${name}\0${content.length}\0`).update(content);
  };
  for (const [name, directory] of Object.entries(sources)) {
    for (const path of (await findSources(directory)).sort()) {
      add(`${name}/${relative(directory, path)}`, await readFile(path));
    }
  }
  add("environment", formatEnvironment(guestEnvironment()));
  add("files", JSON.stringify(rootFiles()));
  return hash.digest("hex");
}

async function findSources(directory: string): Promise<string[]> {
  const names = await readdir(directory, { recursive: true });
  return names.filter(isSource).map((name) => join(directory, name));
}

/** Whether a file below a source directory affects the image, as tests do not. */
export function isSource(path: string): boolean {
  return (
    /(?:\.go|\.ts|\.c|\.cjs|\.py|(?:^|\/)go\.mod)$/.test(path) &&
    !/(?:_test\.go|\.test\.ts)$/.test(path) &&
    !/(?:^|\/)testing\//.test(path)
  );
}
