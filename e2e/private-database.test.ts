import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  copyTemplate,
  listHostResources,
  type RunningInstallation,
  removeDataDirectory,
  startInstallation,
} from "@opencomputer/harness";
import { Project, SecretStore } from "@opencomputer/sdk";

const run = promisify(execFile);
const fixture = fileURLToPath(
  new URL("../setup/pglite-export/fixture/data-directory.tar.zst", import.meta.url),
);
const waitMillisecondsMax = 60_000;

describe("the private database", () => {
  let dataDirectory: string;
  let installation: RunningInstallation;
  const connection = () => ({ apiUrl: installation.apiUrl, apiKey: installation.apiKey });
  const start = async () => {
    installation = await startInstallation({
      dataDirectory,
      environment: { OPENCOMPUTER_WARM_POOL_SIZE: "0" },
    });
  };
  const storeNames = async () => (await SecretStore.list(connection())).map(({ name }) => name);
  /** The server of this installation: its process id, undefined while none runs. */
  const findServer = async () => {
    const { stdout } = await run("ps", ["-eo", "pid=,user:32=,args="]);
    const line = stdout
      .split("\n")
      .find((text) => text.includes(`postgres -D ${dataDirectory}/postgresql/`));
    const [pid, user] = line?.trim().split(/\s+/) ?? [];
    return pid === undefined ? undefined : { pid: Number(pid), user };
  };
  const eventually = async (condition: () => Promise<boolean>, what: string) => {
    const deadline = Date.now() + waitMillisecondsMax;
    while (!(await condition())) {
      if (Date.now() > deadline) throw new Error(`It did not come about that ${what}`);
      await delay(100);
    }
  };

  before(async () => {
    dataDirectory = await copyTemplate();
    await start();
  });
  after(async () => {
    await installation.stop();
    const remaining = await listHostResources(installation);
    await removeDataDirectory(dataDirectory);
    assert.deepEqual(remaining, []);
  });

  test("keeps what was acknowledged when its server is killed, and is started again", async () => {
    const [controlPlane] = await installation.pidsOf("control-plane");
    await SecretStore.create({ ...connection(), name: "before-the-kill" });
    const server = await findServer();
    assert.equal(server?.user, "opencomputer-db");
    process.kill(server.pid, "SIGKILL");
    await eventually(async () => {
      const { pid } = (await findServer()) ?? {};
      return pid !== undefined && pid !== server.pid;
    }, "another server runs");
    await eventually(async () => {
      const names = await storeNames().catch((): string[] => []);
      return names.includes("before-the-kill");
    }, "the store is read again");
    assert.deepEqual(await installation.pidsOf("control-plane"), [controlPlane]);
    assert.match(installation.output(), /database ended with signal SIGKILL/);
  });

  test("ends with a supervisor that is killed, and has every row at the next start", async () => {
    await SecretStore.create({ ...connection(), name: "before-the-end" });
    const [supervisor] = await installation.pidsOf("supervisor");
    assert.ok(supervisor !== undefined);
    process.kill(supervisor, "SIGKILL");
    await eventually(async () => (await findServer()) === undefined, "the server ends");
    await eventually(
      async () => (await installation.pidsOf("egress-proxy")).length === 0,
      "the others end",
    );
    await start();
    assert.deepEqual((await storeNames()).sort(), ["before-the-end", "before-the-kill"]);
  });

  test("is stopped after the control plane, which loses no connection", async () => {
    await installation.stop();
    assert.equal(await findServer(), undefined);
    const log = (name: string) => readFile(join(dataDirectory, "logs", `${name}.log`), "utf8");
    assert.match(await log("database"), /database system is shut down\s*$/);
    const last = (await log("control-plane")).split("the process ends").at(-1) ?? "";
    assert.doesNotMatch(last, /database/);
  });

  test("takes over the database of a data directory of the first release (full run)", async () => {
    for (const part of ["postgresql", "control-plane", "api-key"]) {
      await rm(join(dataDirectory, part), { recursive: true, force: true });
    }
    await run("tar", ["--extract", "--zstd", "--file", fixture, "--directory", dataDirectory]);
    await start();
    assert.match(installation.output(), /database of an earlier version is now in PostgreSQL/);
    assert.ok((await storeNames()).includes("kept"));
    const projects = await Project.list(connection());
    assert.deepEqual(
      projects.map(({ name }) => name),
      ["kept project"],
    );
    assert.ok(existsSync(join(dataDirectory, "database-before-postgresql", "PG_VERSION")));
    await installation.stop();
    await start();
    assert.ok((await storeNames()).includes("kept"));
  });

  test("is not started beside the server of DATABASE_URL (full run)", async () => {
    await installation.stop();
    const directory = join(dataDirectory, "postgresql");
    await rm(directory, { recursive: true });
    const child = execFile(
      process.execPath,
      [fileURLToPath(new URL("../packages/standalone/dist/program/main.js", import.meta.url))],
      {
        env: {
          PATH: process.env["PATH"],
          OPENCOMPUTER_DATA_DIR: dataDirectory,
          OPENCOMPUTER_PORT: "18743",
          DATABASE_URL: "postgres://nobody@127.0.0.1:9/none",
        },
      },
    );
    let output = "";
    child.stderr?.on("data", (text) => {
      output += text;
    });
    const [code] = await once(child, "close");
    assert.equal(code, 75, "the database may come back");
    assert.match(output, /Cannot open the database that DATABASE_URL names/);
    assert.equal(existsSync(join(directory, "15")), false);
  });
});
