import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { after, afterEach, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { exitCodes } from "@opencomputer/protocol/wire";
import { createFakeEgressProxy } from "./testing/fake-egress-proxy.ts";
import { createFakeWorker } from "./testing/fake-worker/fake-worker.ts";
import { freePort } from "./testing/free-port.ts";
import { type PostgresCluster, startPostgresCluster } from "./testing/postgres-cluster.ts";
import { eventually } from "./testing/test-installation.ts";

const mainFile = fileURLToPath(new URL("../dist/program/main.js", import.meta.url));

interface Process {
  child: ChildProcess;
  output: () => string;
  /** Resolves to the exit code, or to the signal. */
  ended: Promise<number | NodeJS.Signals | null>;
}

describe("the control plane as a process", () => {
  let directory: string;
  let port: number;
  let cluster: PostgresCluster;
  let databaseUrl: string;
  const running: Process[] = [];

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "opencomputer-main-"));
    port = await freePort();
    cluster = await startPostgresCluster();
    databaseUrl = await cluster.createDatabase();
  });
  afterEach(async () => {
    for (const { child, ended } of running.splice(0)) {
      child.kill("SIGKILL");
      await ended;
    }
  });
  after(async () => {
    await cluster.stop();
    await rm(directory, { recursive: true, force: true });
  });

  function start(environment: Record<string, string> = {}): Process {
    const child = fork(mainFile, {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: {
        PATH: process.env["PATH"] ?? "",
        OPENCOMPUTER_DATA_DIR: join(directory, "data"),
        OPENCOMPUTER_PORT: String(port),
        DATABASE_URL: databaseUrl,
        OPENCOMPUTER_WORKER_SOCKET: join(directory, "worker.sock"),
        OPENCOMPUTER_EGRESS_PROXY_SOCKETS: join(directory, "egress-proxy.sock"),
        ...environment,
      },
    });
    let output = "";
    const streams = [child.stdout, child.stderr].filter((stream) => stream !== null);
    for (const stream of streams) {
      stream.on("data", (chunk) => {
        output += String(chunk);
      });
    }
    const exited = new Promise<number | NodeJS.Signals | null>((resolve) => {
      child.once("exit", (code, signal) => resolve(code ?? signal));
    });
    const ended = Promise.all([exited, ...streams.map((stream) => finished(stream))]).then(
      ([outcome]) => outcome,
    );
    const started = { child, output: () => output, ended };
    running.push(started);
    return started;
  }

  async function untilListening(started: Process): Promise<void> {
    const outcome = await Promise.race([
      started.ended,
      eventually(() => started.output().includes("control plane listens"), "it listens", 60_000),
    ]);
    assert.equal(outcome, undefined, started.output());
  }

  async function call(method: string, path: string, body?: unknown) {
    const key = (await readFile(join(directory, "data/api-key"), "utf8")).trim();
    return fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { "x-api-key": key, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  test("what was acknowledged exists after SIGKILL, and the directory is free again", async () => {
    const first = start();
    await untilListening(first);
    const created = await call("POST", "/api/secret-stores", { name: "kept" });
    assert.equal(created.status, 201);
    first.child.kill("SIGKILL");
    await first.ended;
    const second = start();
    await untilListening(second);
    const stores = await (await call("GET", "/api/secret-stores")).json();
    assert.deepEqual(stores, [await created.json()]);
  });

  test("an encryption key other than the database's is a matter of configuration", async () => {
    const keyFile = join(directory, "data/encryption-key");
    const key = await readFile(keyFile, "utf8");
    for (const [text, message] of [
      [`${"0".repeat(64)}\n`, "is not the one that this database was made with"],
      ["damaged\n", "must hold 64 hexadecimal digits"],
    ] as const) {
      await writeFile(keyFile, text);
      const started = start();
      assert.equal(await started.ended, exitCodes.configuration, started.output());
      assert.ok(started.output().includes(message), started.output());
    }
    await writeFile(keyFile, key);
  });

  test("the disk budget is what the environment has, or follows from the number of sandboxes", async () => {
    const worker = createFakeWorker(join(directory, "worker.sock"));
    const egressProxy = createFakeEgressProxy(join(directory, "egress-proxy.sock"));
    await worker.start();
    await egressProxy.start();
    try {
      const environments: [Record<string, string>, number][] = [
        [{ OPENCOMPUTER_SANDBOXES_PER_ORG_MAX: "1" }, 43_008],
        [{ OPENCOMPUTER_DISK_MB_PER_ORG_MAX: "30000" }, 30_000],
      ];
      for (const [environment, budgetMB] of environments) {
        const started = start(environment);
        await untilListening(started);
        const create = (overMB: number) =>
          call("POST", "/api/sandboxes", { memoryMB: 1024, diskMB: budgetMB - 1024 + overMB });
        await eventually(async () => (await create(1)).status === 409, "it is ready and refuses");
        const refused = await create(1);
        assert.match(await refused.text(), new RegExp(` ${budgetMB + 1} of ${budgetMB} MB`));
        const made = await create(0);
        assert.equal(made.status, 201);
        const { sandboxID } = (await made.json()) as { sandboxID: string };
        assert.equal((await call("DELETE", `/api/sandboxes/${sandboxID}`)).status, 204);
        started.child.kill("SIGKILL");
        await started.ended;
      }
    } finally {
      await worker.stop();
      await egressProxy.stop();
    }
  });

  test("a second process on the same data directory is refused, with what to do", async () => {
    const first = start();
    await untilListening(first);
    const second = start({ OPENCOMPUTER_PORT: String(await freePort()) });
    assert.equal(await second.ended, 1);
    assert.match(second.output(), /in use by another process.*OPENCOMPUTER_DATA_DIR/);
    assert.equal((await call("GET", "/api/secret-stores")).status, 200);
  });

  test("SIGTERM ends it cleanly", async () => {
    const started = start();
    await untilListening(started);
    started.child.kill("SIGTERM");
    assert.equal(await started.ended, 0);
  });

  test("it ends when its parent has ended", async () => {
    const started = start();
    await untilListening(started);
    started.child.disconnect();
    assert.equal(await started.ended, 0);
  });

  test("malformed settings are all named, without their values, before anything is opened", async () => {
    const dataDirectory = join(directory, "never");
    const started = start({
      OPENCOMPUTER_DATA_DIR: dataDirectory,
      OPENSANDBOX_SECRET_ENCRYPTION_KEY: "canary-key",
      OPENCOMPUTER_API_KEY: "canary-api-key",
      OPENCOMPUTER_PORT: "0",
      DATABASE_URL: "",
      OPENCOMPUTER_SUBSTITUTE_IN: "header,cookie",
    });
    assert.equal(await started.ended, 78);
    for (const name of [
      "OPENSANDBOX_SECRET_ENCRYPTION_KEY",
      "OPENCOMPUTER_API_KEY",
      "OPENCOMPUTER_PORT",
      "DATABASE_URL",
      "OPENCOMPUTER_SUBSTITUTE_IN",
    ]) {
      assert.ok(started.output().includes(name), name);
    }
    assert.ok(!started.output().includes("canary"));
    await assert.rejects(readFile(join(dataDirectory, "encryption-key")), { code: "ENOENT" });
  });

  test("a database server that cannot be reached is one clear sentence", async () => {
    const started = start({ DATABASE_URL: "postgresql://user:canary-password@127.0.0.1:9/x" });
    assert.equal(await started.ended, 1);
    assert.match(started.output(), /Cannot open the database that DATABASE_URL names/);
    assert.match(started.output(), /ECONNREFUSED/);
    assert.ok(!started.output().includes("canary-password"));
  });
});
