import { execFile } from "node:child_process";
import type { Stats } from "node:fs";
import { chmod, chown, lstat, mkdir, readdir, rename, rm, symlink } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { serviceLimits } from "@opencomputer/protocol/wire";
import { hasCode } from "./file-access.ts";
import type { Installation } from "./installation.ts";
import type { SystemUser, SystemUsers } from "./system-users.ts";

const run = promisify(execFile);
/** New entries of the directory get its group. */
const groupMayConnect = 0o2750;

/**
 * Creates the directories, and makes each the property of the user whose
 * process writes to it. The data directory itself is root's: a process sees
 * only those parts of it that are mounted into its root.
 */
export async function prepareDirectories(
  installation: Installation,
  users: SystemUsers,
  { hasPresetApiKey, egressProxyCount }: { hasPresetApiKey: boolean; egressProxyCount: number },
): Promise<void> {
  const { dataDirectory, controlPlaneDirectory, databaseDirectory } = installation;
  for (const directory of [dataDirectory, installation.logDirectory, databaseDirectory]) {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  }
  const { controlPlane } = users;
  // The database's user may pass to the clusters, which it owns, but not list or change this directory.
  await chmod(databaseDirectory, 0o711);
  await giveDirectory(controlPlaneDirectory, controlPlane, [
    join(dataDirectory, "encryption-key"),
    installation.apiKeyFile,
  ]);
  if (!hasPresetApiKey && (await entryAt(installation.apiKeyFile)) === undefined) {
    const file = join(controlPlaneDirectory, basename(installation.apiKeyFile));
    await symlink(relative(dataDirectory, file), installation.apiKeyFile);
  }

  await mkdir(installation.rootMountPoint, { recursive: true, mode: 0o700 });
  await makeSocketDirectory(dirname(installation.workerSocket), users.worker, controlPlane);
  for (let index = 0; index < egressProxyCount; index += 1) {
    const directory = dirname(installation.egressProxySocket(index));
    await makeSocketDirectory(directory, users.egressProxy, controlPlane);
  }
  // Those of a service with more of them that was killed: only empty directories are removed with it.
  for (let index = egressProxyCount; index < serviceLimits.egressProxiesMax; index += 1) {
    await rm(installation.egressProxySocket(index), { force: true });
  }
  await makeSocketDirectory(installation.databaseSocketDirectory, users.database, controlPlane);
}

/**
 * Makes a directory and everything in it the property of a user, once, and
 * moves files into it that earlier versions kept elsewhere. The directory's own
 * owner changes last: after a crash before that everything is repeated, and
 * root changes nothing where another user could have put links.
 *
 * @throws when a file is in both places.
 */
export async function giveDirectory(
  directory: string,
  user: SystemUser,
  formerFiles: readonly string[] = [],
): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  for (const former of formerFiles) {
    if (!(await entryAt(former))?.isFile()) continue;
    const file = join(directory, basename(former));
    if ((await entryAt(file)) !== undefined) {
      throw new Error(
        `${former} and ${file} both exist, and the service uses ${file}: remove the one that does not belong to this installation.`,
      );
    }
    await chown(former, user.userId, user.groupId);
    await rename(former, file);
  }
  const { uid, gid } = await lstat(directory);
  if (uid === user.userId && gid === user.groupId) return;
  // Only root may enter it while root changes owners in it.
  await chmod(directory, 0o700);
  await chown(directory, 0, 0);
  const children = (await readdir(directory)).map((name) => join(directory, name));
  if (children.length > 0) {
    const options = ["--recursive", "--no-dereference", "-P"];
    await run("chown", [...options, `${user.userId}:${user.groupId}`, "--", ...children]);
  }
  await chown(directory, user.userId, user.groupId);
}

/** Creates a directory whose sockets only the server, its client and root can reach. */
export async function makeSocketDirectory(
  directory: string,
  owner: Pick<SystemUser, "userId">,
  client: SystemUser,
): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chown(directory, owner.userId, client.groupId);
  await chmod(directory, groupMayConnect);
}

async function entryAt(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}
