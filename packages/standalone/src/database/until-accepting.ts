import { execFile } from "node:child_process";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { databaseName } from "./cluster-files.ts";
import { databaseEnvironment } from "./database-user.ts";
import type { InstalledPostgres } from "./installed-postgres.ts";

const pollMilliseconds = 50;

/** Waits until the server accepts connections: after a crash it replays its log first. */
export async function untilAccepting(
  { binaryDirectory }: InstalledPostgres,
  socketDirectory: string,
  signal: AbortSignal,
): Promise<void> {
  const program = join(binaryDirectory, "pg_isready");
  const parameters = [
    ...["--quiet", `--host=${socketDirectory}`],
    ...[`--dbname=${databaseName}`, `--username=${databaseName}`],
  ];
  while (!(await succeeds(program, parameters))) {
    signal.throwIfAborted();
    await delay(pollMilliseconds);
  }
}

/** pg_isready(1): 0 when connections are accepted, 1 when they are rejected, 2 without a response. */
function succeeds(program: string, parameters: string[]): Promise<boolean> {
  return new Promise((resolve, reject) => {
    execFile(program, parameters, { env: databaseEnvironment }, (error) => {
      if (error === null) resolve(true);
      else if (error.code === 1 || error.code === 2) resolve(false);
      else reject(error);
    });
  });
}
