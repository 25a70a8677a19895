import { constants } from "node:fs";
import { open, rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { apiKeySchema } from "@opencomputer/protocol";
import { syncDirectory } from "./database/cluster-files.ts";
import type { Installation } from "./installation.ts";

const fileBytesMax = 128;

/**
 * Copies the first API key out of the control plane's directory into a file of
 * root's, which its operator reads as root. The control plane may have been
 * taken over: a link that it laid is not followed, and nothing but an API key
 * is copied.
 *
 * @throws when there is no file with an API key.
 */
export async function publishApiKey({
  controlPlaneDirectory,
  apiKeyFile,
}: Pick<Installation, "controlPlaneDirectory" | "apiKeyFile">): Promise<void> {
  const source = join(controlPlaneDirectory, basename(apiKeyFile));
  const key = await readApiKey(source);
  const temporary = `${apiKeyFile}.new`;
  const file = await open(temporary, "w", 0o600);
  try {
    await file.chmod(0o600);
    await file.writeFile(`${key}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, apiKeyFile);
  await syncDirectory(dirname(apiKeyFile));
}

async function readApiKey(path: string): Promise<string> {
  const expected = `The API key cannot be shown: expected a file with an API key in ${path}`;
  // A named pipe would have open(2) wait for its other end.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(path, flags).catch((error: Error) => {
    throw new Error(`${expected}: ${error.message}`, { cause: error });
  });
  try {
    if (!(await file.stat()).isFile()) throw new Error(`${expected}, and it is no regular file.`);
    const buffer = Buffer.alloc(fileBytesMax);
    const { bytesRead } = await file.read(buffer, 0, fileBytesMax, 0);
    const parsed = apiKeySchema.safeParse(buffer.toString("utf8", 0, bytesRead).trim());
    if (!parsed.success) throw new Error(`${expected}, and what it holds is none.`);
    return parsed.data;
  } finally {
    await file.close();
  }
}
