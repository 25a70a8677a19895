import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { runProgram } from "../process/run-program.ts";

/** A file system that can lose its power. */
export interface VolatileDisk {
  /**
   * From this moment nothing is written any more: what was not synced is lost.
   * It stays mounted, with errors, until its files are closed.
   */
  cutPower(): Promise<void>;
  /** What is left, once nothing has a file of it open. */
  restorePower(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Neither a commit of the journal by the clock, nor a rename that replaces a file,
 * makes anything last here: only what is synced does, or is older than half a minute.
 */
const mountOptions = "loop,commit=3600,noauto_da_alloc";
const unmountTimeoutMilliseconds = 30_000;
/** `EXT4_IOC_SHUTDOWN` with `EXT4_GOING_FLAGS_NOLOGFLUSH`: neither data nor journal reach the disk. */
const shutDown = `
import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack("I", 2))`;

/** Mounts a new ext4 file system of a sparse file at an existing directory. */
export async function mountVolatileDisk(
  mountPoint: string,
  sizeBytes: number,
): Promise<VolatileDisk> {
  const directory = await mkdtemp(join(tmpdir(), "volatile-disk-"));
  let image = join(directory, "disk-0.img");
  const file = await open(image, "wx", 0o600);
  await file.truncate(sizeBytes);
  await file.close();
  await runProgram("mkfs.ext4", ["-q", image]);
  const mount = () => runProgram("mount", ["-o", mountOptions, image, mountPoint]);
  let cuts = 0;
  await mount();

  /** What was killed a moment ago may still be ending. */
  async function unmount(): Promise<void> {
    const deadline = Date.now() + unmountTimeoutMilliseconds;
    for (;;) {
      try {
        await runProgram("umount", [mountPoint]);
        return;
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await delay(50);
      }
    }
  }

  return {
    async cutPower() {
      await runProgram("python3", ["-c", shutDown, mountPoint]);
    },
    async restorePower() {
      await unmount();
      // Of a copy: somebody's mount namespace may hold the file system that was shut down.
      cuts += 1;
      const copy = join(directory, `disk-${cuts}.img`);
      await runProgram("cp", ["--sparse=always", image, copy]);
      await rm(image);
      image = copy;
      await mount();
    },
    async close() {
      await unmount();
      await rm(directory, { recursive: true });
    },
  };
}
