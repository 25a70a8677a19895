import { open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { WireError } from "@opencomputer/protocol/api";
import { hasCode } from "../process/process-identity.ts";

/** Suffix of a file that could not be read and was replaced. It is kept for people to look at. */
const unreadable = ".unreadable";
/** Suffix of a directory that is being removed. The next start completes its removal. */
export const removed = ".old";

/** Returns when a file's content, or a directory's entries, would survive a loss of power. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Syncs the files of a directory and its entries. The directory's own name
 * is an entry of its parent, which the caller syncs once the name is final.
 */
export async function syncDirectoryFiles(directory: string): Promise<void> {
  const names = await readdir(directory);
  await Promise.all(names.map((name) => syncPath(join(directory, name))));
  await syncPath(directory);
}

/**
 * Renames within a directory so that the new name survives a loss of power. When that
 * is not certain, because the disk fails, what was renamed has its former name again.
 */
export async function renameDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  try {
    await syncPath(dirname(to));
  } catch (error) {
    await rename(to, from);
    throw error;
  }
}

/** Renames a file or directory that cannot be read, so that a new one can replace it. @returns its new path. */
export async function setAside(path: string): Promise<string> {
  const aside = `${path}${unreadable}-${Date.now()}`;
  await renameDurably(path, aside);
  return aside;
}

/** Removes a directory so that no part of it is found again, even after a loss of power. */
export async function removeWhole(directory: string): Promise<void> {
  const trash = `${directory}${removed}`;
  await rm(trash, { recursive: true, force: true });
  await renameDurably(directory, trash);
  await rm(trash, { recursive: true, force: true });
}

const noSpaceCodes = ["ENOSPC", "EDQUOT"];
/** What frees space of the host's disk. */
export const storageRemediation =
  "oc checkpoint delete <sandbox-id> <checkpoint-id>, oc snapshot delete <name>, or oc kill <id>";
/** How the programs that the worker runs report it. */
const noSpaceMessages = /No space left on device|Disk quota exceeded/;

function isFullDisk(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof WireError) return false;
  if (noSpaceCodes.some((code) => hasCode(error, code))) return true;
  return noSpaceMessages.test(error.message) || isFullDisk(error.cause);
}

/** A full disk as the error that callers see; any other error as it is. */
export function asStorageError(error: unknown): unknown {
  if (!isFullDisk(error)) return error;
  return new WireError(
    "host_storage_full",
    "The host's disk is full: nothing was saved, and the sandbox is unchanged. Free space in the data directory, and try again",
    { cause: error, remediation: storageRemediation },
  );
}
