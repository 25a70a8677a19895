import { createHash, randomBytes } from "node:crypto";
import { link, mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { hasCode, syncPath } from "./file-access.ts";
import { chooseNetworkBlock, listRouteDestinations } from "./network-block.ts";

const fileName = "installation.json";
/** Where earlier versions, whose id was derived from the directory's path, kept the block. */
const formerBlockName = "network-block";

/**
 * `installation.json`: what identifies an installation on its host. It moves
 * with the data directory.
 */
const recordSchema = z.object({
  version: z.literal(1),
  /** 8 hexadecimal digits, part of every name that the installation uses on the host. */
  id: z.string().regex(/^[0-9a-f]{8}$/),
  networkBlock: z.string().regex(/^198\.1[89]\.\d{1,3}\.0\/22$/),
});
export type InstallationRecord = z.infer<typeof recordSchema>;

/**
 * Loads the record of a data directory, and creates it at the first start. A
 * directory of an earlier version keeps the id that was derived from its path,
 * and its block.
 *
 * @throws {Error} when it cannot be read, or is of a later version.
 */
export async function loadInstallationRecord(dataDirectory: string): Promise<InstallationRecord> {
  const path = join(dataDirectory, fileName);
  const present = await readRecord(path);
  if (present !== undefined) return present;
  await mkdir(dataDirectory, { recursive: true, mode: 0o700 });
  const formerBlock = await readIfPresent(join(dataDirectory, formerBlockName));
  const id = formerBlock === undefined ? randomBytes(4).toString("hex") : idOfPath(dataDirectory);
  const networkBlock = formerBlock?.trim() || chooseNetworkBlock(id, await listRouteDestinations());
  await writeOnce(dataDirectory, path, { version: 1, id, networkBlock });
  const made = await readRecord(path);
  if (made === undefined) throw new Error(`${path} does not exist right after it was written`);
  return made;
}

function idOfPath(dataDirectory: string): string {
  return createHash("sha256").update(dataDirectory).digest("hex").slice(0, 8);
}

async function readRecord(path: string): Promise<InstallationRecord | undefined> {
  const text = await readIfPresent(path);
  if (text === undefined) return undefined;
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch (error) {
    throw new Error(
      `${path} cannot be read by this version: restore it from a backup, or start the version that wrote it. Without it the service finds none of its machines.`,
      { cause: error },
    );
  }
}

/** Writes the record unless another process has. Once it returns, the file survives a loss of power. */
async function writeOnce(
  directory: string,
  path: string,
  record: InstallationRecord,
): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString("hex")}.new`;
  try {
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(`${JSON.stringify(record, null, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await link(temporary, path).catch((error: unknown) => {
      if (!hasCode(error, "EEXIST")) throw error;
    });
  } finally {
    await rm(temporary, { force: true });
  }
  await syncPath(directory);
}

async function readIfPresent(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}
