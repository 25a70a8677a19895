import { execFile } from "node:child_process";
import { mkdir, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A file system in memory, mounted over a directory, that a test can fill. */
export interface SmallDisk {
  /** Takes all its space but this much. */
  fill(bytesLeft: number): Promise<void>;
  /** Gives back what {@link fill} took. */
  free(): Promise<void>;
  unmount(): Promise<void>;
}

const fillAttemptsMax = 5;

export async function mountSmallDisk(directory: string, sizeBytes: number): Promise<SmallDisk> {
  await mkdir(directory, { recursive: true });
  await run("mount", ["-t", "tmpfs", "-o", `size=${sizeBytes},mode=0755`, "tmpfs", directory]);
  const filling = join(directory, "filling");
  return {
    async fill(bytesLeft) {
      // What else writes to the disk may take space between the two calls.
      for (let attempt = 1; ; attempt += 1) {
        const { bavail, bsize } = await statfs(directory);
        const length = bavail * bsize - bytesLeft - (attempt - 1) * bsize;
        try {
          await run("fallocate", ["--length", String(length), filling]);
          return;
        } catch (error) {
          if (attempt === fillAttemptsMax) throw error;
          await rm(filling, { force: true });
        }
      }
    },
    free: () => rm(filling),
    unmount: async () => {
      await run("umount", [directory]);
    },
  };
}
