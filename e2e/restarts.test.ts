import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { listMachines, type Scenario, startScenario } from "@opencomputer/harness";
import { processStateSchema } from "@opencomputer/protocol/api";
import { OpenComputerError, Sandbox } from "@opencomputer/sdk";
import { z } from "zod";

const host = "api.example.test";
const key = "canary-restarts-90aac7d3e81b5f6042";
const pollMilliseconds = 100;

const healthSchema = z.object({
  limitsEnforced: z.boolean(),
  processes: z.array(processStateSchema),
});

describe("killing one process loses no sandbox and no secret", () => {
  let scenario: Scenario;
  let sandbox: Sandbox;
  let machine: number[];

  before(async () => {
    scenario = await startScenario({
      hosts: [host],
      environment: { OPENCOMPUTER_WARM_POOL_SIZE: "0" },
    });
    const store = await scenario.createStore({
      egressAllowlist: [host],
      secrets: { API_KEY: key },
    });
    sandbox = await scenario.createSandbox({ secretStore: store.name });
    await sandbox.exec.run("nohup sleep 3600 > /dev/null 2>&1 & echo kept > /workspace/file");
    machine = await listMachines(scenario.installation);
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  const useSecret = async () => {
    const result = await sandbox.exec.run(`curl -sS https://${host}/ -H "x-api-key: $API_KEY"`);
    return { result, received: scenario.internet.requests.at(-1)?.headers["x-api-key"] };
  };
  const killAndWait = async (name: "worker" | "egress-proxy" | "control-plane") => {
    await scenario.installation.kill(name);
    await scenario.installation.untilReady();
  };

  for (const name of ["worker", "egress-proxy", "control-plane"] as const) {
    test(`${name}: the same machine, its processes, files and token continue`, async () => {
      await killAndWait(name);
      await untilHolds(async () => (await useSecret()).received === key);
      const health = await readHealth(scenario.connection.apiUrl);
      assert.equal(health.limitsEnforced, true);
      const { since, ...state } = health.processes.find((one) => one.name === name) ?? {};
      assert.ok(Date.parse(since ?? "") > 0);
      const lastExit = "signal SIGKILL";
      assert.deepEqual(state, { name, state: "running", restarts: 1, lastExit });
      assert.deepEqual(await listMachines(scenario.installation), machine);
      const { stdout } = await sandbox.exec.run("pgrep -c sleep; cat /workspace/file");
      assert.equal(stdout, "1\nkept\n");
      assert.deepEqual(
        (await Sandbox.list(scenario.connection)).map((one) => [one.sandboxID, one.status]),
        [[sandbox.sandboxId, "running"]],
      );
    });
  }

  test("a stopped proxy lets nothing through", async () => {
    const [pid = 0] = await scenario.installation.pidsOf("egress-proxy");
    const before = scenario.internet.requests.length;
    process.kill(pid, "SIGSTOP");
    try {
      const result = await sandbox.exec.run(
        `curl -sS -m 5 https://${host}/ -H "x-api-key: $API_KEY"`,
      );
      assert.notEqual(result.exitCode, 0);
      assert.equal(scenario.internet.requests.length, before);
    } finally {
      process.kill(pid, "SIGCONT");
    }
    assert.equal((await useSecret()).received, key);
  });

  test("a machine that dies by itself: its sandbox starts again from its disk, the others continue", async () => {
    const other = await scenario.createSandbox();
    await other.exec.run("echo kept > /workspace/file; sync");
    const [pid = 0] = (await listMachines(scenario.installation)).filter(
      (one) => !machine.includes(one),
    );
    process.kill(pid, "SIGKILL");
    await untilHolds(async () => {
      const { exitCode, stdout } = await other.exec.run("cat /workspace/file").catch(asLost);
      return exitCode === 0 && stdout === "kept\n";
    });
    assert.equal(typeof (await other.getInfo()).memoryLost, "string");
    assert.equal(await sandbox.isRunning(), true);
  });
});

async function untilHolds(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await holds().catch(asUnavailable))) {
    if (Date.now() > deadline) throw new Error("It did not come to hold within 30 s");
    await pause();
  }
}

/** A command that its machine has died under, or that has come before this was noticed. */
function asLost(error: unknown): { exitCode: number; stdout: string } {
  if (error instanceof OpenComputerError && error.status === 409) {
    return { exitCode: -1, stdout: "" };
  }
  throw error;
}

/** While a part is started again, the API responds with 503 and changes nothing. */
function asUnavailable(error: unknown): false {
  if (error instanceof OpenComputerError && error.status === 503) return false;
  throw error;
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, pollMilliseconds));
}

async function readHealth(apiUrl: string) {
  return healthSchema.parse(await (await fetch(`${apiUrl}/api/health`)).json());
}
