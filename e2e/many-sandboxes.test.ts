import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { listMachines, type Scenario, startSharedScenario } from "@opencomputer/harness";
import { Sandbox } from "@opencomputer/sdk";
import { isFullRun } from "../setup/test/full-run.mjs";

const host = "api.example.test";
const count = isFullRun ? 10 : 4;

describe(`${count} sandboxes created at once`, () => {
  let scenario: Scenario;
  let sandboxes: Sandbox[];

  before(async () => {
    scenario = await startSharedScenario({ hosts: [host] });
    const stores = await Promise.all(
      Array.from({ length: count }, (_, index) =>
        scenario.createStore({
          egressAllowlist: [host],
          secrets: { API_KEY: `canary-many-${index}` },
        }),
      ),
    );
    sandboxes = await Promise.all(
      stores.map((store) => scenario.createSandbox({ secretStore: store.name })),
    );
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  test("all work, each with its own secret", async () => {
    await Promise.all(
      sandboxes.map(async (sandbox, index) => {
        const result = await sandbox.exec.run(
          `curl -sS https://${host}/${index} -H "x-api-key: $API_KEY"`,
        );
        assert.equal(result.exitCode, 0, result.stderr);
      }),
    );
    const keys = scenario.internet.requests.map(({ url, headers }) => [url, headers["x-api-key"]]);
    assert.deepEqual(
      keys.sort(),
      sandboxes.map((_, index) => [`/${index}`, `canary-many-${index}`]).sort(),
    );
  });

  test("each is a separate machine: host name, machine id, entropy, clock", async () => {
    const seen = await Promise.all(
      sandboxes.map(async (sandbox) => {
        const { stdout } = await sandbox.exec.run(
          "hostname; cat /etc/machine-id; head -c 16 /dev/urandom | base64; date +%s",
        );
        return stdout.trim().split("\n");
      }),
    );
    for (const column of [0, 1, 2]) {
      assert.equal(new Set(seen.map((lines) => lines[column])).size, count);
    }
    assert.deepEqual(
      seen.map((lines) => lines[0]),
      sandboxes.map((sandbox) => sandbox.sandboxId),
    );
    for (const lines of seen) {
      assert.ok(Math.abs(Number(lines[3]) * 1000 - Date.now()) < 60_000, "the clock is right");
    }
  });

  test("a killed one is reported stopped, runs nothing, and the others continue", async () => {
    const [first, second] = sandboxes;
    assert.ok(first !== undefined && second !== undefined);
    await first.kill();
    assert.equal((await Sandbox.get(first.sandboxId, scenario.connection)).status, "stopped");
    await assert.rejects(first.exec.run("true"), /sb-/);
    assert.equal((await second.exec.run("echo on")).stdout, "on\n");
    assert.equal((await Sandbox.list(scenario.connection)).length, count - 1);
  });

  test("machines run without root and cannot gain privileges", async () => {
    for (const pid of await listMachines(scenario.installation)) {
      const field = await readStatus(pid);
      assert.notEqual(field("Uid")?.split("\t")[0], "0");
      assert.equal(field("CapEff"), "0000000000000000");
      assert.equal(field("NoNewPrivs"), "1");
      assert.equal(field("Seccomp"), "2");
    }
  });
});

/** The status of a machine's process once it has given up root: one of the pool may be starting. */
async function readStatus(pid: number): Promise<(name: string) => string | undefined> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const status = await readFile(`/proc/${pid}/status`, "utf8");
    const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1];
    if (field("CapEff") === "0000000000000000" || Date.now() > deadline) return field;
    await delay(100);
  }
}
