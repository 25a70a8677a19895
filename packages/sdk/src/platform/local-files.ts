import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { OpenComputerError } from "../open-computer-error.ts";
import type { LocalFile } from "./local-file.ts";

/** Reads a file of this machine. @throws {OpenComputerError} `invalid_request`. */
export function readLocalFile(path: string): Uint8Array {
  return explained(path, () => readFileSync(path));
}

/**
 * All files below a directory of this machine, in the same order on every machine.
 *
 * @throws {OpenComputerError} `invalid_request`
 */
export function listLocalFiles(directory: string): LocalFile[] {
  return explained(directory, () =>
    readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => {
        const path = join(entry.parentPath, entry.name);
        return { path, relativePath: relative(directory, path).split(sep).join("/") };
      })
      .filter(({ path }) => assertFile(path))
      .sort((one, other) => (one.relativePath < other.relativePath ? -1 : 1)),
  );
}

function assertFile(path: string): true {
  if (statSync(path).isFile()) return true;
  throw new OpenComputerError(
    "invalid_request",
    `Cannot add ${path}: expected files and links to files, found something else`,
  );
}

function explained<Result>(path: string, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (error instanceof OpenComputerError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new OpenComputerError("invalid_request", `Cannot read ${path}: ${reason}`, {
      cause: error,
    });
  }
}
