import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { readTextIfPresent, writePrivateFile } from "./private-file.ts";

/**
 * Returns the random name that a data directory keeps, which is made where it has
 * none. It distinguishes what processes of this directory have begun from what
 * those of other directories do on the same database.
 */
export async function openDataDirectoryName(dataDirectory: string): Promise<string> {
  const path = join(dataDirectory, "control-plane-id");
  const text = await readTextIfPresent(path);
  if (text !== undefined) {
    const kept = z.uuid().safeParse(text);
    if (kept.success) return kept.data;
    throw new Error(`${path} must hold a UUID; remove the file, and a new one is made`, {
      cause: kept.error,
    });
  }
  const name = randomUUID();
  await writePrivateFile(path, `${name}\n`);
  return name;
}
