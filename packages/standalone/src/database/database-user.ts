import { spawn } from "node:child_process";
import { hasCode } from "../installation/file-access.ts";
import type { SystemUser } from "../installation/system-users.ts";
import { confinedCommand } from "../process/confinement.ts";

const outputCharactersKept = 4_000;

/** What the programs of PostgreSQL may be and see. */
export interface DatabaseConfinement {
  readonly user: SystemUser;
  readonly mountPoint: string;
  /** Programs that are not in the system's directories. */
  readonly readOnlyPaths?: readonly string[];
  /** The only files besides the system's that its programs see. */
  readonly writablePaths: readonly string[];
}

/** The command as the database's user, which sees its own files and no others of the host. */
export function asDatabaseUser(
  command: readonly string[],
  { user, mountPoint, readOnlyPaths = [], writablePaths }: DatabaseConfinement,
): string[] {
  return confinedCommand(command, {
    ...{ user, mountPoint, readOnlyPaths, writablePaths },
    ...{ capabilities: [], copiedFiles: [] },
  });
}

export const databaseEnvironment = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C.UTF-8" };

/** Runs a program as the user of the database, and returns what it printed. */
export async function runAsDatabaseUser(
  confinement: DatabaseConfinement,
  command: readonly string[],
  { input = "", workingDirectory = "/" }: { input?: string; workingDirectory?: string } = {},
): Promise<string> {
  const inDirectory = ["env", `--chdir=${workingDirectory}`, ...command];
  const [program = "", ...parameters] = asDatabaseUser(inDirectory, confinement);
  const child = spawn(program, parameters, { env: databaseEnvironment });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-outputCharactersKept);
    });
  }
  const [code, signal]: [number | null, string | null] = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (...exit) => resolve(exit));
    child.stdin.on("error", (error) => {
      // A program that ends before it has read its input closes the pipe: its exit code shows why.
      if (!hasCode(error, "EPIPE")) reject(error);
    });
    child.stdin.end(input);
  });
  if (code === 0) return output;
  const exit = signal === null ? `exit code ${code}` : `signal ${signal}`;
  throw new Error(`${command[0]} ended with ${exit}: ${output.trim()}`);
}
