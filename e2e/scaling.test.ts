import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Scenario, startSharedScenario } from "@opencomputer/harness";
import { OpenComputerError, Sandbox, ScalingLockedError, SecretStore } from "@opencomputer/sdk";

const mebi = 1024 * 1024;
const metadata = "curl -sS --max-time 30 http://169.254.169.254/v1";
const commandMemory = "cat /sys/fs/cgroup/sandbox/memory.max";

describe("scaling and reboot", () => {
  let scenario: Scenario;
  let sandbox: Sandbox;
  before(async () => {
    scenario = await startSharedScenario({ hosts: ["api.example.com"] });
    const { id } = await SecretStore.create({ name: "scaled", ...scenario.connection });
    await SecretStore.setSecret(id, "API_KEY", "sk-scaling-2kX9vQ7mT4wLr8Kz", {
      ...scenario.connection,
      allowedHosts: ["api.example.com"],
    });
    sandbox = await scenario.createSandbox({ secretStore: "scaled" });
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  async function run(cmd: string, inside = sandbox): Promise<string> {
    const { exitCode, stdout, stderr } = await inside.exec.run(cmd);
    assert.equal(exitCode, 0, stderr);
    return stdout.trim();
  }

  test("memory grows and shrinks while processes run, and nothing in use is taken", async () => {
    await run("(while sleep 0.2; do date >> ~/ticks; done) > /dev/null 2>&1 & echo $! > ~/ticker");
    const free = async () => Number(await run("free -m | awk '/^Mem:/ { print $2 }'"));
    const before = await free();
    const scaled = await sandbox.scale({ memoryMB: 2048 });
    assert.deepEqual([scaled.memoryMB, scaled.cpuPercent], [2048, 100]);
    assert.ok((await free()) >= before + 1000);
    assert.equal((await sandbox.getInfo()).memoryMB, 2048);

    await run("head -c 400M /dev/zero > /dev/shm/held");
    await assert.rejects(sandbox.scale({ memoryMB: 384 }), (error) => {
      assert.ok(error instanceof OpenComputerError && error.code === "oom_floor");
      assert.ok(Number(error.details?.["memoryUsedBytes"]) >= 400 * mebi);
      return true;
    });
    assert.equal(await run("stat -c %s /dev/shm/held; rm /dev/shm/held"), String(400 * mebi));
    await sandbox.scale({ memoryMB: 512 });
    assert.equal(await run(commandMemory), String(480 * mebi));
    const ticks = Number(await run("wc -l < ~/ticks"));
    assert.ok(Number(await run("sleep 1; wc -l < ~/ticks")) > ticks);
    await run("kill $(cat ~/ticker)");
  });

  test("a fork and a restore have the size, and the CPU time (full run)", async () => {
    await sandbox.setLimits({ memoryMB: 1280, cpuPercent: 80 });
    const { id } = await sandbox.createCheckpoint("scaled", { wait: true });
    const fork = await Sandbox.createFromCheckpoint(id, scenario.connection);
    assert.equal((await fork.getInfo()).memoryMB, 1280);
    assert.equal(await run(commandMemory, fork), String(1200 * mebi));
    assert.equal(await run("cat /sys/fs/cgroup/sandbox/cpu.max", fork), "80000 100000");
    await fork.kill();
    await sandbox.scale({ memoryMB: 512 });
    await sandbox.restoreCheckpoint(id);
    assert.equal((await sandbox.getInfo()).memoryMB, 1280);
    assert.equal(await run(commandMemory), String(1200 * mebi));
    await sandbox.setLimits({ cpuPercent: 100 });
  });

  test("the metadata service reports the sandbox that asks, and respects the lock", async () => {
    const other = await scenario.createSandbox();
    for (const one of [sandbox, other]) {
      assert.equal(JSON.parse(await run(`${metadata}/status`, one)).sandboxId, one.id);
    }
    await other.kill();
    const ask = async (memoryMB: number) =>
      JSON.parse(await run(`${metadata}/scale -d '{"memoryMB":${memoryMB}}'`));
    await sandbox.setLimits({ memoryMB: 1280 });
    assert.deepEqual(await ask(768), { ok: true, memoryMB: 768 });
    while ((await sandbox.getInfo()).memoryMB !== 768) {
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    await sandbox.setScalingLock(true);
    await assert.rejects(sandbox.scale({ memoryMB: 1024 }), ScalingLockedError);
    assert.equal((await ask(1024)).code, "scaling_locked");
    await sandbox.setScalingLock(false);
    assert.equal((await ask(16384)).code, "unsupported_option");
  });

  for (const [how, extent] of [
    ["reboot", ""],
    ["powerCycle", " (full run)"],
  ] as const) {
    test(`${how}: sessions end; files, tokens, policy and size stay${extent}`, async () => {
      const send = `curl -sS -H "x-api-key: $API_KEY" https://api.example.com/ > /dev/null; echo $API_KEY`;
      const token = await run(send);
      const session = await sandbox.exec.start("sleep 600");
      await run("echo kept > ~/kept; sync; touch /dev/shm/gone");
      await sandbox[how]();
      assert.equal(await run("cat ~/kept; ls /dev/shm"), "kept");
      const sessions = await sandbox.exec.list();
      assert.ok(
        !sessions.some(({ sessionID, running }) => sessionID === session.sessionId && running),
      );
      assert.equal(await run(send), token);
      const request = scenario.internet.requestsTo("api.example.com").at(-1);
      assert.equal(request?.headers["x-api-key"], "sk-scaling-2kX9vQ7mT4wLr8Kz");
      const { memoryMB, memoryLost, status } = await sandbox.getInfo();
      assert.deepEqual([memoryMB, memoryLost, status], [768, undefined, "running"]);
      assert.equal(await run(commandMemory), String(720 * mebi));
    });
  }

  test("a process that takes more memory than the sandbox has ends, and the sandbox continues", async () => {
    await sandbox.scale({ memoryMB: 384 });
    const greedy = await sandbox.exec.run(
      `python3 -c 'held = [b"x" * (8 << 20) for _ in range(64)]'`,
    );
    assert.notEqual(greedy.exitCode, 0);
    assert.equal(await run("echo alive"), "alive");
  });
});
