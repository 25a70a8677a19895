import { execFile } from "node:child_process";
import type { Stats } from "node:fs";
import { chmod, chown, lstat, mkdir, readdir, rename, symlink } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import type { Installation } from "./installation.ts";
import type { SystemUser, SystemUsers } from "./system-users.ts";

const run = promisify(execFile);
/** New entries of the directory get its group. */
const groupMayConnect = 0o2750;

/**
 * Makes the directories, and gives each to the user whose process writes to
 * it. The data directory itself is root's alone: a process sees no more of it
 * than is mounted into its root.
 */
export async function prepareDirectories(
  installation: Installation,
  users: SystemUsers,
  { hasPresetApiKey }: { hasPresetApiKey: boolean },
): Promise<void> {
  const { dataDirectory, controlPlaneDirectory, databaseDirectory } = installation;
  for (const directory of [dataDirectory, installation.logDirectory, databaseDirectory]) {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  }
  const { controlPlane } = users;
  // Its user is let through to the clusters, which are its own, and changes nothing beside them.
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
  await makeSocketDirectory(
    dirname(installation.egressProxySocket),
    users.egressProxy,
    controlPlane,
  );
  await makeSocketDirectory(installation.databaseSocketDirectory, users.database, controlPlane);
}

/**
 * Gives a directory with everything in it to a user, once; and moves files
 * into it that earlier versions kept elsewhere. The directory's own owner
 * changes last, so a crash before that has it all done again, and nothing is
 * changed by root where another user could lay links.
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
        `${former} and ${file} both exist, and the service uses ${file}: move the one that is not this installation's away.`,
      );
    }
    await chown(former, user.userId, user.groupId);
    await rename(former, file);
  }
  const { uid, gid } = await lstat(directory);
  if (uid === user.userId && gid === user.groupId) return;
  // Nobody but root may enter it while root changes owners in it.
  await chmod(directory, 0o700);
  await chown(directory, 0, 0);
  const children = (await readdir(directory)).map((name) => join(directory, name));
  if (children.length > 0) {
    const options = ["--recursive", "--no-dereference", "-P"];
    await run("chown", [...options, `${user.userId}:${user.groupId}`, "--", ...children]);
  }
  await chown(directory, user.userId, user.groupId);
}

/** A directory of which only the server, its client and root reach the sockets. */
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
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
