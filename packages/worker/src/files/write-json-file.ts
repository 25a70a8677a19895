import { readFile, rename, rm, writeFile } from "node:fs/promises";
import type { z } from "zod";
import { hasCode } from "../process/process-identity.ts";

/** Writes a file as a whole: readers find the old content or the new, also after a crash of the worker. */
export async function writeJsonFile(path: string, value: unknown): Promise<void> {
  const temporaryPath = `${path}.new`;
  try {
    await writeFile(temporaryPath, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
    await rename(temporaryPath, path);
  } catch (error) {
    await rm(temporaryPath, { force: true });
    throw error;
  }
}

/**
 * A JSON file's content; undefined when there is no such file.
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
