import { constants, type Stats } from "node:fs";
import { type FileHandle, lchown, lstat, open, readdir } from "node:fs/promises";
import { join } from "node:path";

/** The worker's user, and the ids of the users of its machines. */
export interface FileOwners {
  readonly worker: { readonly userId: number; readonly groupId: number };
  isMachineUser(userId: number): boolean;
}

const groupReads = 0o640;
const groupEnters = 0o050;
const permissionBits = 0o777;

/**
 * Opens a regular file that belongs to the worker or to a machine. The worker
 * decides what is at the path, and root must not open any other file for it.
 */
export async function openOwned(
  path: string,
  flags: number,
  owners: FileOwners,
): Promise<FileHandle> {
  const file = await open(path, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { uid } = await file.stat();
    const isOwned = uid === owners.worker.userId || owners.isMachineUser(uid);
    if (isOwned && (await file.stat()).isFile()) return file;
    throw new Error(
      `${path} must be a regular file of the worker or of a machine: it belongs to user ${uid}`,
    );
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Makes a file writable for a machine's user, and readable for the worker. */
export async function giveFile(path: string, userId: number, owners: FileOwners): Promise<void> {
  const file = await openOwned(path, constants.O_RDONLY, owners);
  try {
    await file.chmod(groupReads);
    await file.chown(userId, owners.worker.groupId);
  } finally {
    await file.close();
  }
}

/**
 * Makes everything below a directory that earlier versions left to root the
 * worker's. Files of machines keep their owner, and the worker may read them.
 */
export async function adoptFiles(path: string, owners: FileOwners): Promise<void> {
  const found = await lstat(path);
  const { uid, gid, mode } = found;
  const { userId, groupId } = owners.worker;
  if (found.isDirectory()) {
    for (const name of await readdir(path)) await adoptFiles(join(path, name), owners);
  }
  if (owners.isMachineUser(uid)) {
    const isShared = gid === groupId && (mode & permissionBits) === groupReads;
    if (found.isFile() && !isShared) await giveFile(path, uid, owners);
  } else if (uid !== userId || gid !== groupId) {
    await takeEntry(path, found, owners);
  }
}

async function takeEntry(path: string, found: Stats, { worker }: FileOwners): Promise<void> {
  if (!found.isDirectory() && !found.isFile()) {
    return lchown(path, worker.userId, worker.groupId);
  }
  const entry = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    await entry.chmod(found.mode | (found.isDirectory() ? groupEnters : groupReads));
    await entry.chown(worker.userId, worker.groupId);
  } finally {
    await entry.close();
  }
}
