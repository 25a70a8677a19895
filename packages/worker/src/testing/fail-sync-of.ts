import { type FileHandle, open, stat } from "node:fs/promises";
import { mock } from "node:test";

/** Makes the disk fail to keep the names of a directory, until the returned function is called. */
export async function failSyncOf(directory: string): Promise<() => void> {
  const { ino } = await stat(directory);
  const handle = await open(directory);
  await handle.close();
  const sync = async function (this: FileHandle): Promise<void> {
    if ((await this.stat()).ino !== ino) return;
    throw Object.assign(new Error("EIO: i/o error, fsync"), { code: "EIO" });
  };
  const failing = mock.method(Object.getPrototypeOf(handle) as FileHandle, "sync", sync);
  return () => failing.mock.restore();
}
