// @ts-check
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { sources } from "./cruise-sources.mjs";

/** A checkout that has only what a test writes, for checks of the sources. */
export function createSourceTree() {
  const directory = mkdtempSync(join(tmpdir(), "sources-"));
  for (const source of sources) mkdirSync(join(directory, source));
  return {
    directory,
    /** @param {Record<string, string>} files text by path */
    write(files) {
      for (const [path, text] of Object.entries(files)) {
        mkdirSync(join(directory, dirname(path)), { recursive: true });
        writeFileSync(join(directory, path), text);
      }
    },
    remove: () => rmSync(directory, { recursive: true }),
  };
}
