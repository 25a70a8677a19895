import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type WorkerSandbox, workerSandboxSchema } from "@opencomputer/protocol/wire";
import { startWorkerScene, until, type WorkerScene } from "./testing/worker-process.ts";

const mebi = 1024 * 1024;
const memTotalMB = "awk '/MemTotal/ {print int($2 / 1024)}' /proc/meminfo";
const commandMemoryBytes = "cat /sys/fs/cgroup/sandbox/memory.max";
const metadata = "curl -sS --max-time 20 http://169.254.169.254/v1";
/** Holds so much memory until it is killed, and responds when it has it. */
const hold = (memoryMB: number) =>
  `python3 -c 'import time; held = b"x" * (${memoryMB} << 20); open("/tmp/held", "w").close(); time.sleep(600)' >/dev/null 2>&1 &
echo $! > /tmp/holder; while [ ! -e /tmp/held ]; do sleep 0.1; done; rm /tmp/held`;
const release =
  "kill $(cat /tmp/holder); while kill -0 $(cat /tmp/holder) 2>/dev/null; do sleep 0.05; done";

describe("the size of a running sandbox", () => {
  let scene: WorkerScene;
  let id: string;
  before(async () => {
    scene = await startWorkerScene({
      installationId: "5a7e0007",
      block: "198.19.248.0/22",
      isBaked: true,
      warmPoolSize: 0,
    });
    await scene.start();
    await scene.trust();
    id = await scene.create();
  });
  after(async () => {
    await scene.call("DELETE", `/v1/sandboxes/${id}`);
    await scene.stop("SIGTERM");
    assert.deepEqual((await scene.traces()).processes, []);
    await scene.close();
  });

  const scale = (memoryMB: number | null, cpuPercent: number | null = null) =>
    scene.call("POST", `/v1/sandboxes/${id}/scale`, { memoryMB, cpuPercent });
  async function run(cmd: string): Promise<string> {
    const { exitCode, stdout, stderr } = await scene.run(id, cmd);
    assert.equal(exitCode, 0, stderr);
    return stdout.trim();
  }
  async function post(path: string, body?: object): Promise<WorkerSandbox> {
    const response = await scene.call("POST", `/v1/sandboxes/${id}/${path}`, body);
    assert.equal(response.status, 200, JSON.stringify(response.body));
    return workerSandboxSchema.parse(response.body);
  }
  const numberOf = async (cmd: string) => Number(await run(cmd));

  test("commands and sessions run in their own cgroup, whose limits follow the size", async () => {
    assert.equal(await run("cat /proc/self/cgroup"), "0::/sandbox");
    assert.equal(await numberOf(commandMemoryBytes), 960 * mebi);
    assert.equal(await run("cat /sys/fs/cgroup/sandbox/pids.max"), "4096");
    assert.equal(await run("cat /sys/fs/cgroup/sandbox/cpu.max"), "max 100000");
  });

  test("memory is plugged in before the response, and what does not fit any more is refused", async () => {
    const totalBefore = await numberOf(memTotalMB);
    const grown = await scale(1536);
    assert.equal(grown.status, 200, JSON.stringify(grown.body));
    assert.ok((await numberOf(memTotalMB)) >= totalBefore + 500);
    assert.equal(await numberOf(commandMemoryBytes), 1440 * mebi);

    await run(hold(700));
    const refused = await scale(512);
    assert.equal(refused.status, 409);
    const { code, details } = refused.body as { code: string; details: Record<string, number> };
    assert.equal(code, "oom_floor");
    assert.ok((details["memoryUsedBytes"] ?? 0) >= 700 * mebi, JSON.stringify(details));
    assert.ok((details["smallestMemoryMB"] ?? 0) > 740, JSON.stringify(details));
    await run("kill -0 $(cat /tmp/holder)");
    assert.equal(await numberOf(commandMemoryBytes), 1440 * mebi);

    await run(release);
    assert.equal((await scale(512)).status, 200);
    assert.equal(await numberOf(commandMemoryBytes), 480 * mebi);
    assert.ok((await numberOf(memTotalMB)) < totalBefore);
    assert.equal((await scale(1536, 50)).status, 200);
    assert.equal(await run("cat /sys/fs/cgroup/sandbox/cpu.max"), "50000 100000");
    assert.ok((await numberOf(memTotalMB)) >= totalBefore + 500);
    assert.equal((await scale(null, 100)).status, 200);
  });

  test("a guest asks for its own, and gets no more than its owner chose, also after a wake", async () => {
    const status = async () => JSON.parse(await run(`${metadata}/status`));
    assert.equal((await status()).sandboxId, id);
    const hibernated = await scene.call("POST", `/v1/sandboxes/${id}/hibernate`);
    assert.equal(hibernated.status, 200);
    await post("wake", { egressMode: "open", envs: {} });
    assert.equal((await post("start")).size?.memoryMB, 1536);
    assert.equal((await status()).sandboxId, id);
    assert.ok((await status()).uptime >= 0);
    assert.equal(await numberOf(commandMemoryBytes), 1440 * mebi);
    assert.equal(await run(`${metadata}/metadata`), '{"region":"local","template":"base"}');
    assert.equal(JSON.parse(await run(`${metadata}/limits`)).memLimit, 1536 * mebi);
    const ask = (memoryMB: number) => run(`${metadata}/scale -d '{"memoryMB":${memoryMB}}'`);
    assert.equal(JSON.parse(await ask(1537)).code, "unsupported_option");
    assert.deepEqual(JSON.parse(await ask(1024)), { ok: true, memoryMB: 1024 });
    const lock = (locked: boolean) =>
      scene.call("PUT", `/v1/sandboxes/${id}/scaling-lock`, { locked });
    assert.equal((await lock(true)).status, 200);
    assert.equal(JSON.parse(await ask(1536)).code, "scaling_locked");
    assert.equal((await lock(false)).status, 200);
    assert.deepEqual(JSON.parse(await ask(1536)), { ok: true, memoryMB: 1536 });
  });

  test("another service of the host, or port, is not reached there", async () => {
    const refused = await scene.run(id, "curl -sS --max-time 5 http://169.254.169.254:8254/");
    assert.notEqual(refused.exitCode, 0);
  });

  test("autoscale follows the use within its bounds", async () => {
    const path = `/v1/sandboxes/${id}/autoscale`;
    const bounds = { enabled: true, minMemoryMB: 1024, maxMemoryMB: 2048 };
    assert.equal((await scale(1024)).status, 200);
    assert.equal((await scene.call("PUT", path, bounds)).status, 200);
    await run(hold(850));
    await until("the sandbox has grown", async () => {
      const { body } = await scene.call("GET", `/v1/sandboxes/${id}`);
      return workerSandboxSchema.parse(body).size?.memoryMB === 2048;
    });
    await run(release);
  });

  test("the size outlives a worker that is killed", async () => {
    await scene.stop("SIGKILL");
    await scene.start();
    const { body } = await scene.call("GET", `/v1/sandboxes/${id}`);
    const { size } = workerSandboxSchema.parse(body);
    assert.equal(size?.memoryMB, 2048);
    assert.equal(size?.scaling.autoscale?.enabled, true);
    assert.equal(JSON.parse(await run(`${metadata}/limits`)).memLimit, 2048 * mebi);
    await scene.trust();
  });

  for (const orderly of [true, false]) {
    test(`a reboot, ${orderly ? "orderly" : "at once"}: processes end, the disk and the size stay (full run)`, async () => {
      await run(
        `echo ${orderly} > ~/written; ${orderly ? "true" : "sync"}; echo 1 > /dev/shm/gone`,
      );
      const prepared = await post("reboot", { orderly });
      assert.equal(prepared.state, "prepared");
      await post("start");
      assert.equal(await run("cat ~/written; ls /dev/shm"), String(orderly));
      assert.equal(await numberOf(commandMemoryBytes), 1920 * mebi);
      assert.ok((await numberOf(memTotalMB)) > 1800);
    });
  }
});
