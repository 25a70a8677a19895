import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import type { CliContext } from "../cli-context.ts";
import { CliError } from "../cli-context.ts";

/** Reads the text of a file, or of stdin for `-`. @throws {CliError} when it cannot be read. */
export async function readText({ stdin }: CliContext, path: string): Promise<string> {
  if (path === "-") return await text(stdin);
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new CliError("invalid_request", `Cannot read ${path}: ${reason}`, { cause });
  }
}
