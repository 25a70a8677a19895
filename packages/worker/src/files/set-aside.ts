import { rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { syncPath } from "./sync-files.ts";

/** The end of the name of what cannot be read and was made anew. It is for people, and nothing removes it. */
const unreadable = ".unreadable";
/** The end of the name of what is being removed: whoever finds it completes the removal. */
export const removed = ".old";

/** Moves a file or directory that cannot be read out of the way of a new one. @returns its new path. */
export async function setAside(path: string): Promise<string> {
  const aside = `${path}${unreadable}-${Date.now()}`;
  await rename(path, aside);
  await syncPath(dirname(path));
  return aside;
}

/** Removes a directory so that it is never found again in part, also after a loss of power. */
export async function removeWhole(directory: string): Promise<void> {
  const trash = `${directory}${removed}`;
  await rm(trash, { recursive: true, force: true });
  await rename(directory, trash);
  await syncPath(dirname(directory));
  await rm(trash, { recursive: true, force: true });
}
