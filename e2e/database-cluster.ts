import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** A PostgreSQL server of its own. */
export interface DatabaseCluster {
  readonly url: string;
  stop(): Promise<void>;
}

/** Debian's program that runs a PostgreSQL cluster for as long as another program. */
export async function startDatabaseCluster(): Promise<DatabaseCluster> {
  const child: ChildProcess = spawn(
    "pg_virtualenv",
    ["-t", "bash", "-c", 'echo "cluster $PGPORT $PGPASSWORD"; read end'],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const closed = once(child, "close");
  if (child.stdout === null || child.stdin === null) throw new Error("pg_virtualenv has no pipes");
  for await (const line of createInterface({ input: child.stdout })) {
    const [, port, password] = /^cluster (\d+) (\S+)$/.exec(line) ?? [];
    if (port === undefined) continue;
    return {
      url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
      async stop() {
        child.stdin?.end("\n");
        await closed;
      },
    };
  }
  throw new Error("pg_virtualenv ended before its cluster was up: is postgresql installed?");
}
