import { open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { z } from "zod";
import { hasCode } from "../process/process-identity.ts";
import { syncPath } from "./durable-files.ts";

/**
 * Replaces a file atomically: readers find the old content or the new. Once it
 * returns, they find the new content, even after a loss of power.
 */
export async function writeJsonFile(path: string, value: unknown): Promise<void> {
  const temporaryPath = `${path}.new`;
  try {
    const file = await open(temporaryPath, "w", 0o600);
    try {
      await file.writeFile(`${JSON.stringify(value, null, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporaryPath, path);
    await syncPath(dirname(path));
  } catch (error) {
    await rm(temporaryPath, { force: true });
    throw error;
  }
}

/**
 * Reads a JSON file; undefined when it does not exist.
 *
 * @throws {Error} naming the file, when its content is not of the schema.
 */
export async function readJsonFile<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
): Promise<z.infer<Schema> | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new Error(`${path} is not of the expected form`, { cause: error });
  }
}
