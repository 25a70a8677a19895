import { execFile } from "node:child_process";
import { chown, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client } from "pg";
import { freePort } from "./free-port.ts";

const run = promisify(execFile);

/** A PostgreSQL server of its own, with as many databases as asked for. */
export interface PostgresCluster {
  /** The URL of a new database: empty, or a copy of one that nobody is connected to. */
  createDatabase(templateUrl?: string): Promise<string>;
  stop(): Promise<void>;
}

/**
 * Starts a cluster as user `postgres` on a free port of the loopback.
 *
 * @throws when the binaries or the user of Debian's `postgresql` package are absent.
 */
export async function startPostgresCluster(): Promise<PostgresCluster> {
  const binaries = await findBinaries();
  const user = await findPostgresUser();
  const directory = await mkdtemp(join(tmpdir(), "opencomputer-postgres-"));
  await chown(directory, user.uid, user.gid);
  const port = await freePort();
  const asPostgres = (binary: string, ...parameters: string[]) =>
    run(join(binaries, binary), parameters, { ...user, cwd: directory, env: { LC_ALL: "C" } });
  const data = join(directory, "data");
  await asPostgres("initdb", "-D", data, "--auth=trust", "--no-sync", "--encoding=UTF8");
  const settings = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off`;
  const log = join(directory, "log");
  await asPostgres("pg_ctl", "-D", data, "-w", "-s", "-l", log, "-o", settings, "start");
  const url = (database: string) => `postgresql://postgres@127.0.0.1:${port}/${database}`;
  let databases = 0;

  return {
    async createDatabase(templateUrl = url("template1")) {
      const name = `test_${++databases}`;
      const template = new URL(templateUrl).pathname.slice(1);
      const client = new Client(url("postgres"));
      await client.connect();
      await client.query(`create database ${name} template ${template}`);
      await client.end();
      return url(name);
    },
    async stop() {
      await asPostgres("pg_ctl", "-D", data, "-w", "-s", "-m", "immediate", "stop");
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function findBinaries(): Promise<string> {
  const root = "/usr/lib/postgresql";
  const versions = await readdir(root).catch(() => [] as string[]);
  const newest = versions.toSorted((a, b) => Number(a) - Number(b)).at(-1);
  if (newest !== undefined) return join(root, newest, "bin");
  throw new Error(
    `No PostgreSQL server in ${root}: install Debian's postgresql package (apt-get install postgresql)`,
  );
}

async function findPostgresUser(): Promise<{ uid: number; gid: number }> {
  const [uid, gid] = await Promise.all(
    ["-u", "-g"].map(async (flag) => Number((await run("id", [flag, "postgres"])).stdout)),
  );
  if (uid !== undefined && gid !== undefined) return { uid, gid };
  throw new Error("The user postgres is absent: install Debian's postgresql package");
}
