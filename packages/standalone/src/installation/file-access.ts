import { constants } from "node:fs";
import { open, readdir } from "node:fs/promises";

/** Returns when a file's content, or a directory's entries, would survive a loss of power. */
export async function syncPath(path: string): Promise<void> {
  const entry = await open(path, "r");
  try {
    await entry.sync();
  } finally {
    await entry.close();
  }
}

/** Lists the names in a directory; none when it does not exist. */
export async function listDirectory(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  }
}

/**
 * Reads a file that one user of the service owns; undefined when it does not
 * exist. The user may have put a link or a pipe in its place, and root must
 * neither read another file for it nor wait.
 *
 * @throws when it is no regular file of that user, or is too large.
 */
export async function readFileOf(
  owner: { readonly userId: number },
  path: string,
  { bytesMax }: { bytesMax: number },
): Promise<string | undefined> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(path, flags).catch((error: unknown) => {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  });
  if (file === undefined) return undefined;
  try {
    const found = await file.stat();
    if (!found.isFile() || found.uid !== owner.userId) {
      throw new Error(
        `${path} must be a regular file of user ${owner.userId}: it belongs to user ${found.uid}. Remove it or put the original back.`,
      );
    }
    // One byte more than allowed: the file may grow while it is read.
    const buffer = Buffer.alloc(bytesMax + 1);
    let bytes = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, bytes, buffer.length - bytes);
      bytes += bytesRead;
      if (bytes > bytesMax) throw new Error(`${path} is larger than ${bytesMax} bytes`);
      if (bytesRead === 0) return buffer.toString("utf8", 0, bytes);
    }
  } finally {
    await file.close();
  }
}

/** Whether an error is one of the operating system with a code such as `ENOENT`. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
