import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { type Scenario, startScenario } from "@opencomputer/harness";

const run = promisify(execFile);
const apiKey = `osb_${randomBytes(32).toString("hex")}`;
const outputBytesMax = 64 * 1024 * 1024;
const users = {
  "control-plane": "opencomputer-control",
  "egress-proxy": "opencomputer-egress",
  worker: "opencomputer-worker",
} as const;
type ConfinedProcess = keyof typeof users;
const confinedProcesses: readonly ConfinedProcess[] = ["control-plane", "egress-proxy", "worker"];

describe("privilege of the processes", () => {
  let scenario: Scenario;
  let encryptionKey: string;
  before(async () => {
    scenario = await startScenario({ environment: { OPENCOMPUTER_API_KEY: apiKey } });
    const keyFile = join(scenario.installation.dataDirectory, "control-plane/encryption-key");
    encryptionKey = (await readFile(keyFile, "utf8")).trim();
    await scenario.createSandbox();
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  const pidOf = async (name: ConfinedProcess) => {
    const [pid, ...more] = await scenario.installation.pidsOf(name);
    assert.ok(pid !== undefined && more.length === 0, `one ${name}`);
    return pid;
  };
  /** Runs a shell script as the process's user, in its root; what it prints. */
  const runAs = async (name: ConfinedProcess, script: string) => {
    const user = users[name];
    const { stdout } = await run("nsenter", [
      ...[`--target=${await pidOf(name)}`, "--mount", "--root", "--wd", "setpriv"],
      ...[`--reuid=${user}`, `--regid=${user}`, "--clear-groups", "--no-new-privs"],
      ...["--bounding-set=-all", "--inh-caps=-all", "sh", "-c", script],
    ]);
    return stdout;
  };

  test("each runs as its own user, without capabilities", async () => {
    for (const name of confinedProcesses) {
      const status = await readFile(`/proc/${await pidOf(name)}/status`, "utf8");
      const { stdout } = await run("id", ["-u", users[name]]);
      assert.match(status, new RegExp(`^Uid:${`\\t${stdout.trim()}`.repeat(4)}$`, "m"));
      for (const set of ["CapPrm", "CapEff", "CapBnd", "CapAmb"]) {
        assert.match(status, new RegExp(`^${set}:\\t0+$`, "m"), `${name} ${set}`);
      }
    }
  });

  test("the proxy finds no file of the data directory, the control plane none of a machine", async () => {
    const { dataDirectory } = scenario.installation;
    const list = (name: ConfinedProcess, path: string) => runAs(name, `ls -A ${path} 2>&1 || true`);
    assert.match(await list("egress-proxy", dataDirectory), /No such file/);
    assert.equal(await list("control-plane", dataDirectory), "control-plane\n");
    for (const part of ["worker", "golden", "logs", "audit"]) {
      assert.ok((await readdir(dataDirectory)).includes(part), part);
      assert.match(await list("control-plane", join(dataDirectory, part)), /No such file/);
    }
    const { id } = scenario.installation;
    const machines = `/run/opencomputer-${id}/machines`;
    assert.ok((await readdir(machines)).length > 0);
    assert.match(await list("control-plane", machines), /No such file/);
  });

  test("the worker finds its machines, and neither keys, database, logs nor audit trail", async () => {
    const { dataDirectory, id } = scenario.installation;
    const list = async (path: string) => (await runAs("worker", `ls -A ${path}`)).split("\n");
    assert.deepEqual((await list(dataDirectory)).filter(Boolean).sort(), [
      ...["golden", "images", "worker"],
    ]);
    assert.deepEqual((await list(`/run/opencomputer-${id}`)).filter(Boolean).sort(), [
      ...["host", "machines", "worker"],
    ]);
    assert.ok((await list(`/run/opencomputer-${id}/machines`)).length > 1);
  });

  test("the host process is root's, and the worker alone connects to it", async () => {
    const { id } = scenario.installation;
    const socket = `/run/opencomputer-${id}/host/host.sock`;
    const connect = `"${process.execPath}" -e 'require("net").connect("${socket}").once("connect", () => { console.log("connected"); process.exit(); }).once("error", (e) => console.log(e.code))'`;
    assert.equal(await runAs("worker", connect), "connected\n");
    for (const name of ["control-plane", "egress-proxy"] as const) {
      assert.equal(await runAs(name, connect), "ENOENT\n");
      // In the host's own view the directory denies access.
      const user = users[name];
      const { stdout } = await run("setpriv", [
        ...[`--reuid=${user}`, `--regid=${user}`, "--clear-groups", "sh", "-c", connect],
      ]);
      assert.equal(stdout, "EACCES\n");
    }
  });

  test("only the control plane reads the encryption key", async () => {
    const path = join(scenario.installation.dataDirectory, "control-plane/encryption-key");
    assert.equal((await runAs("control-plane", `cat ${path}`)).trim(), encryptionKey);
    for (const name of ["egress-proxy", "worker"] as const) {
      assert.equal(await runAs(name, `cat ${path} 2>/dev/null || echo refused`), "refused\n");
    }
    assert.equal((await stat(path)).mode & 0o777, 0o600);
  });

  test("none writes beside its own directories", async () => {
    for (const name of confinedProcesses) {
      for (const path of ["/etc/cron.d/canary", "/usr/canary", "/canary", process.cwd()]) {
        const output = await runAs(
          name,
          `touch ${path} 2>/dev/null && echo written || echo refused`,
        );
        assert.equal(output, "refused\n", `${name} ${path}`);
      }
    }
  });

  test("the control plane connects to worker and proxy, the proxy to neither", async () => {
    const { id } = scenario.installation;
    const connect = (name: ConfinedProcess, socket: string) =>
      runAs(
        name,
        `"${process.execPath}" -e 'require("net").connect("${socket}").once("connect", () => { console.log("connected"); process.exit(); }).once("error", (e) => console.log(e.code))'`,
      );
    const workerSocket = `/run/opencomputer-${id}/worker/worker.sock`;
    const proxySocket = `/run/opencomputer-${id}/egress-proxy/egress-proxy.sock`;
    assert.equal(await connect("control-plane", workerSocket), "connected\n");
    assert.equal(await connect("control-plane", proxySocket), "connected\n");
    assert.equal(await connect("egress-proxy", workerSocket), "ENOENT\n");
  });

  test("no user of the service finds a secret in an environment or a command line", async () => {
    for (const user of ["control", "egress", "worker", "db"].map(
      (part) => `opencomputer-${part}`,
    )) {
      // In the host's own view, where nothing is hidden but by its owner.
      const { stdout } = await run(
        "setpriv",
        [
          ...[`--reuid=${user}`, `--regid=${user}`, "--clear-groups", "sh", "-c"],
          "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null || true",
        ],
        { maxBuffer: outputBytesMax },
      );
      assert.ok(stdout.includes("/standalone/dist/program/main.js"), "command lines were read");
      assert.ok(!stdout.includes(encryptionKey) && !stdout.includes(apiKey), user);
    }
  });

  test("nothing that the service started has a secret in its environment", async () => {
    const [supervisor = 0] = await scenario.installation.pidsOf("supervisor");
    const environmentOf = (pid: number) => readFile(`/proc/${pid}/environ`, "utf8");
    assert.ok((await environmentOf(supervisor)).includes(apiKey), "it was given there");
    const started = await descendantsOf(supervisor);
    assert.ok(started.length >= 5, "four processes and a machine");
    for (const pid of started) {
      const environment = await environmentOf(pid);
      assert.ok(!environment.includes(encryptionKey) && !environment.includes(apiKey), `${pid}`);
    }
  });
});

async function descendantsOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  const children = text.split(" ").filter(Boolean).map(Number);
  return [...children, ...(await Promise.all(children.map(descendantsOf))).flat()];
}
