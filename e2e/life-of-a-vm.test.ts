import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { readMachines, type Scenario, startSharedScenario } from "@opencomputer/harness";
import { OpenComputerError, Sandbox, SecretStore } from "@opencomputer/sdk";

const host = "api.example.test";
const key = "canary-life-4d11c09e7b3a86f52d18-first";
const rotatedKey = "canary-life-4d11-second";
const pollMilliseconds = 200;

/** A process that counts in its memory alone, and prints its count on request. */
const counter = `cat > /tmp/counter.py <<'END'
import signal, time
count = 0
def tell(*_):
    with open("/tmp/count", "w") as file:
        file.write(str(count))
signal.signal(signal.SIGUSR1, tell)
open("/tmp/ready", "w").close()
while True:
    count += 1
    time.sleep(0.01)
END
nohup python3 /tmp/counter.py > /dev/null 2>&1 & echo $! > /tmp/counter.pid
while [ ! -e /tmp/ready ]; do sleep 0.05; done`;
const askCounter = `rm -f /tmp/count; kill -USR1 $(cat /tmp/counter.pid)
while [ ! -s /tmp/count ]; do sleep 0.05; done; cat /tmp/count`;

describe("the life of a sandbox", () => {
  let scenario: Scenario;
  let storeId: string;
  let sandbox: Sandbox;

  before(async () => {
    scenario = await startSharedScenario({ hosts: [host] });
    const store = await scenario.createStore({
      egressAllowlist: [host],
      secrets: { API_KEY: key },
    });
    storeId = store.id;
    sandbox = await scenario.createSandbox({
      secretStore: store.name,
      envs: { GREETING: "hello" },
    });
    await run(sandbox, `${counter}; echo kept > /workspace/file`);
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  async function run(of: Sandbox, command: string): Promise<string> {
    const { exitCode, stdout, stderr } = await of.exec.run(command);
    assert.equal(exitCode, 0, stderr);
    return stdout.trim();
  }
  const statusOf = async (of: Sandbox) => (await of.getInfo()).status;
  async function useSecret(of: Sandbox): Promise<string | undefined> {
    await run(of, `curl -sS https://${host}/ -H "x-api-key: $API_KEY"`);
    return scenario.internet.requests.at(-1)?.headers["x-api-key"];
  }
  async function killAndWait(name: "worker" | "control-plane" | "egress-proxy"): Promise<void> {
    await scenario.installation.kill(name);
    await scenario.installation.untilReady();
  }

  test("hibernate and wake: memory, processes, files, environment and token are restored", async () => {
    const before = Number(await run(sandbox, askCounter));
    const token = await run(sandbox, "echo $API_KEY");
    const { sizeBytes } = await sandbox.hibernate();
    assert.ok(sizeBytes > 1024 * 1024, `${sizeBytes} bytes`);
    assert.deepEqual((await sandbox.hibernate()).sizeBytes, sizeBytes);
    assert.equal(await statusOf(sandbox), "hibernated");
    assert.ok(!(await readMachines(scenario.installation.dataDirectory)).has(sandbox.sandboxId));
    const woken = await sandbox.wake();
    assert.equal(woken.memoryLost, undefined);
    assert.ok(Number(await run(sandbox, askCounter)) >= before, "the counter went on");
    assert.equal(await run(sandbox, "cat /workspace/file; echo $GREETING"), "kept\nhello");
    assert.equal(await run(sandbox, "echo $API_KEY"), token);
    assert.equal(await useSecret(sandbox), key);
    const drift = Math.abs(Date.now() / 1000 - Number(await run(sandbox, "date +%s")));
    assert.ok(drift < 30, `the clock is ${drift} s off`);
  });

  test("a secret that is rotated meanwhile is the new one, under the old token", async () => {
    const token = await run(sandbox, "echo $API_KEY");
    await sandbox.hibernate();
    await SecretStore.setSecret(storeId, "API_KEY", rotatedKey, scenario.connection);
    assert.equal(await statusOf(sandbox), "hibernated");
    assert.equal(await useSecret(sandbox), rotatedKey);
    assert.equal(await run(sandbox, "echo $API_KEY"), token);
  });

  test("a hundred requests at once share one wake, and all succeed", async () => {
    await sandbox.hibernate();
    const outputs = await Promise.all(
      Array.from({ length: 100 }, () => sandbox.files.read("/workspace/file")),
    );
    assert.deepEqual(new Set(outputs), new Set(["kept\n"]));
    assert.ok(Number(await run(sandbox, askCounter)) > 0, "with its memory");
  });

  test("a connection that cannot be restored fails inside; a new one works", async () => {
    await run(
      sandbox,
      `cat > /tmp/connection.py <<'END'
import socket
connection = socket.create_connection(("${host}", 443))
connection.settimeout(120)
open("/tmp/connected", "w").close()
try:
    outcome = "closed" if connection.recv(1) == b"" else "bytes"
except OSError as error:
    outcome = type(error).__name__
with open("/tmp/outcome", "w") as file:
    file.write(outcome)
END
nohup python3 /tmp/connection.py > /dev/null 2>&1 &
while [ ! -e /tmp/connected ]; do sleep 0.05; done`,
    );
    await sandbox.hibernate();
    const outcome = await run(
      sandbox,
      "while [ ! -s /tmp/outcome ]; do sleep 0.1; done; cat /tmp/outcome",
    );
    assert.match(outcome, /^(closed|ConnectionResetError|ConnectionAbortedError|OSError)$/);
    assert.equal(await useSecret(sandbox), rotatedKey);
  });

  test("an idle sandbox hibernates, is woken by use, keeps its time-out and hibernates again", async () => {
    const idle = await scenario.createSandbox({ timeout: 3 });
    await run(idle, "echo there > /workspace/idle");
    for (let round = 0; round < 2; round += 1) {
      await untilHolds(async () => (await statusOf(idle)) === "hibernated");
      assert.equal(await idle.files.read("/workspace/idle"), "there\n");
      assert.equal(await statusOf(idle), "running");
    }
    await idle.kill();
  });

  test("restore: the sandbox is in the state of its checkpoint, processes included", async () => {
    await run(sandbox, "echo then > /workspace/file; sync");
    const { id } = await sandbox.createCheckpoint("then");
    await untilHolds(async () => (await sandbox.listCheckpoints())[0]?.status === "ready");
    await run(sandbox, "echo now > /workspace/file; kill $(cat /tmp/counter.pid); sync");
    const restored = await sandbox.restoreCheckpoint(id);
    assert.equal(restored.status, "restoring");
    assert.equal(await run(sandbox, "cat /workspace/file"), "then");
    assert.ok(Number(await run(sandbox, askCounter)) > 0, "the counter runs again");
    assert.equal(await useSecret(sandbox), rotatedKey);
    await assert.rejects(
      sandbox.createCheckpoint("then"),
      (error) => error instanceof OpenComputerError && error.code === "name_in_use",
    );
    await sandbox.deleteCheckpoint(id);
    assert.deepEqual(await sandbox.listCheckpoints(), []);
  });

  for (const [kind, extent] of [
    ["full", ""],
    ["disk_only", " (full run)"],
  ] as const) {
    test(`what a sandbox does after the response is not in a ${kind} checkpoint${extent}`, async () => {
      await run(sandbox, "echo v1 > /workspace/moment; sync");
      const { id } = await sandbox.createCheckpoint(`moment-${kind}`, { kind });
      await run(sandbox, "echo v2 > /workspace/moment; sync");
      await sandbox.restoreCheckpoint(id);
      assert.equal(await run(sandbox, "cat /workspace/moment"), "v1");
      await sandbox.deleteCheckpoint(id);
      await run(sandbox, `kill $(cat /tmp/counter.pid) 2> /dev/null; rm -f /tmp/ready; ${counter}`);
    });
  }

  test("a machine that is killed: the sandbox boots from its disk, and reports that its memory is lost", async () => {
    await run(sandbox, "echo on disk > /workspace/file; sync");
    const machines = await readMachines(scenario.installation.dataDirectory);
    process.kill(machines.get(sandbox.sandboxId)?.pid ?? 0, "SIGKILL");
    await untilHolds(async () => (await sandbox.exec.run("true")).exitCode === 0);
    assert.equal(await run(sandbox, "cat /workspace/file"), "on disk");
    assert.equal(typeof (await sandbox.getInfo()).memoryLost, "string");
    assert.equal(await useSecret(sandbox), rotatedKey);
    await run(sandbox, `rm -f /tmp/ready; ${counter}`);
  });

  for (const [name, extent] of [
    ["worker", ""],
    ["control-plane", " (full run)"],
    ["egress-proxy", " (full run)"],
  ] as const) {
    test(`${name} killed while a sandbox hibernates and wakes: it exists, with its memory${extent}`, async () => {
      const count = Number(await run(sandbox, askCounter));
      const hibernation = sandbox.hibernate().catch(() => undefined);
      await pause();
      await killAndWait(name);
      await hibernation;
      await untilHolds(async () => Number(await run(sandbox, askCounter)) >= count);
      await untilHolds(async () => (await sandbox.hibernate()).status === "hibernated");
      const wake = sandbox.wake().catch(() => undefined);
      await pause();
      await killAndWait(name);
      await wake;
      await untilHolds(async () => Number(await run(sandbox, askCounter)) >= count);
      await untilHolds(async () => (await useSecret(sandbox)) === rotatedKey);
      const listed = (await Sandbox.list(scenario.connection)).map(({ sandboxID }) => sandboxID);
      assert.deepEqual(listed, [sandbox.sandboxId]);
    });
  }
});

async function untilHolds(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 120_000;
  let last: unknown;
  while (!(await holds().catch(note))) {
    if (Date.now() > deadline) {
      throw new Error("It did not come to hold within 120 s", { cause: last });
    }
    await pause();
  }

  /** While a part is started again, requests fail; none of these failures is final. */
  function note(error: unknown): false {
    last = error;
    return false;
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, pollMilliseconds));
}
