import { spawn } from "node:child_process";
import { confinedCommand } from "../confinement.ts";
import type { SystemUser } from "../system-users.ts";

const outputCharactersKept = 4_000;

/** Runs a program as the user of the database, and returns what it printed. */
export type RunAsDatabaseUser = (
  command: readonly string[],
  options?: { input?: string; workingDirectory?: string },
) => Promise<string>;

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

export function createRunAsDatabaseUser(confinement: DatabaseConfinement): RunAsDatabaseUser {
  return (command, { input = "", workingDirectory = "/" } = {}) => {
    const inDirectory = ["env", `--chdir=${workingDirectory}`, ...command];
    const [program = "", ...parameters] = asDatabaseUser(inDirectory, confinement);
    return new Promise((resolve, reject) => {
      const child = spawn(program, parameters, { env: databaseEnvironment });
      let output = "";
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", (text: string) => {
          output = (output + text).slice(-outputCharactersKept);
        });
      }
      child.once("error", reject);
      child.once("close", (code, signal) => {
        if (code === 0) return resolve(output);
        const ending = signal === null ? `exit code ${code}` : `signal ${signal}`;
        reject(new Error(`${command[0]} ended with ${ending}: ${output.trim()}`));
      });
      child.stdin.end(input);
    });
  };
}
