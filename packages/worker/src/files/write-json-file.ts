import { open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { z } from "zod";
import { hasCode } from "../process/process-identity.ts";
import { syncPath } from "./durable-files.ts";

/**
 * Replaces a file atomically: readers find the old content or the new. Once it
 * returns, they find the new content, even after a loss of power. When it fails, they find the
 * old content, since the caller removes what only the new one names.
 */
export async function writeJsonFile(path: string, value: unknown): Promise<void> {
  const temporaryPath = `${path}.new`;
  const former = await readIfPresent(path);
  try {
    const file = await open(temporaryPath, "w", 0o600);
    try {
      await file.writeFile(`${JSON.stringify(value, null, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporaryPath, path);
    await syncPath(dirname(path)).catch(async (error: unknown) => {
      await restore(path, former, temporaryPath);
      throw error;
    });
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
  const text = await readIfPresent(path);
  if (text === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new Error(`${path} is not of the expected form`, { cause: error });
  }
}

async function restore(path: string, former: string | undefined, temporaryPath: string) {
  if (former === undefined) return rm(path);
  await writeFile(temporaryPath, former, { mode: 0o600 });
  await rename(temporaryPath, path);
}

async function readIfPresent(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}
