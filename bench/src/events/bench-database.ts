import { spawn } from "node:child_process";
import { once } from "node:events";
import type { RunningInstallation } from "@opencomputer/harness";

const name = "bench";
const administrator = "postgres";

/** A database of the bench in the PostgreSQL server of an installation. */
export interface BenchDatabase {
  readonly url: string;
  /** Runs statements, each in a transaction of its own unless they begin one. */
  execute(statements: string): Promise<void>;
}

export async function createBenchDatabase({ id }: RunningInstallation): Promise<BenchDatabase> {
  const socketDirectory = `/run/opencomputer-${id}/database`;
  const execute = async (database: string, statements: string) => {
    const psql = spawn(
      "psql",
      [
        ...["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-"],
        ...["--host", socketDirectory, "--username", administrator, "--dbname", database],
      ],
      { stdio: ["pipe", "ignore", "inherit"] },
    );
    psql.stdin.end(statements);
    const [exitCode] = await once(psql, "exit");
    if (exitCode !== 0) throw new Error("psql failed: see its error above");
  };
  await execute(administrator, `create database ${name}`);
  return {
    url: `postgresql:///${name}?${new URLSearchParams({ host: socketDirectory, user: administrator })}`,
    execute: (statements) => execute(name, statements),
  };
}
