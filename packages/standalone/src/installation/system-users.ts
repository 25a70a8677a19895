import { execFile } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The users of the service's processes. Installations on one host share them. */
const systemUserNames = {
  controlPlane: "opencomputer-control",
  egressProxy: "opencomputer-egress",
  worker: "opencomputer-worker",
  database: "opencomputer-db",
} as const;

export interface SystemUser {
  readonly name: string;
  readonly userId: number;
  readonly groupId: number;
}

export type SystemUsers = Readonly<Record<keyof typeof systemUserNames, SystemUser>>;

const lockWaitMilliseconds = 30_000;
const retryMilliseconds = 250;
/** useradd(8): the password or group file cannot be updated, as while another process holds its lock. */
const lockedExitCodes: readonly unknown[] = [1, 10];
/** useradd(8): the name of the user or of its group is taken. */
const nameTakenExitCode = 9;
/** getent(1): no such entry. */
const absentExitCode = 2;
/** Where the commands are, whatever the caller's `PATH` is, and none of its other variables. */
const environment = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };

/**
 * Returns the users that the processes run as, and creates those that are
 * missing. Several services may start at once and create the same one.
 *
 * @throws when this process is not root, or a user cannot be created.
 */
export async function ensureSystemUsers(): Promise<SystemUsers> {
  if (process.getuid?.() !== 0) {
    throw new Error(
      `The service must be started by root, and this is user ${process.getuid?.()}: it runs each of its processes as a separate user. Start it with sudo.`,
    );
  }
  // One after the other: useradd locks the password file.
  const controlPlane = await ensureSystemUser(systemUserNames.controlPlane);
  const egressProxy = await ensureSystemUser(systemUserNames.egressProxy);
  const worker = await ensureSystemUser(systemUserNames.worker);
  const database = await ensureSystemUser(systemUserNames.database);
  return { controlPlane, egressProxy, worker, database };
}

/** Returns a user without a home and a shell, with a group of the same name, and creates it if it is missing. */
async function ensureSystemUser(name: string): Promise<SystemUser> {
  const deadline = performance.now() + lockWaitMilliseconds;
  for (;;) {
    const user = await findSystemUser(name);
    if (user !== undefined) return user;
    try {
      await run(
        "useradd",
        [
          ...["--system", "--user-group", "--no-create-home"],
          ...["--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", name],
        ],
        { env: environment },
      );
    } catch (error) {
      const code = codeOf(error);
      if (code === "ENOENT") {
        throw new Error(
          `The system user ${name} is missing, and useradd to create it is not installed: run \`apt-get install passwd\`, or create a system user and a group of that name.`,
        );
      }
      if (code === nameTakenExitCode && (await findSystemUser(name)) !== undefined) continue;
      if (!lockedExitCodes.includes(code) || performance.now() > deadline) {
        throw new Error(
          `The system user ${name} cannot be created (${messageOf(error)}): create a system user and a group of that name.`,
          { cause: error },
        );
      }
      await delay(retryMilliseconds);
    }
  }
}

/** Asks the name service, which may know users that are not in passwd(5). */
async function findSystemUser(name: string): Promise<SystemUser | undefined> {
  try {
    const { stdout } = await run("getent", ["passwd", name], { env: environment });
    const [, userId, groupId] = /^[^:]+:[^:]*:(\d+):(\d+):/.exec(stdout) ?? [];
    if (userId === undefined || groupId === undefined || Number(userId) === 0) {
      throw new Error(`The user ${name} has an unusable entry in the password database`);
    }
    return { name, userId: Number(userId), groupId: Number(groupId) };
  } catch (error) {
    if (codeOf(error) === absentExitCode) return undefined;
    throw error;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

function messageOf(error: unknown): string {
  if (error instanceof Error && "stderr" in error) return String(error.stderr).trim();
  return String(error);
}
