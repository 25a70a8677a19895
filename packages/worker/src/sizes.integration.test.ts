import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { startWorkerScene, type WorkerScene } from "./testing/worker-process.ts";

const policy = { egressMode: "allowlisted", envs: {} } as const;
/** Keeps more in memory than a default machine has, and writes its sum on a signal. */
const holder = `cat > /tmp/holder.py <<'END'
import hashlib, os, signal
block = os.urandom(1 << 20)
blocks = [bytes([n % 251]) + block for n in range(1000)]
def report(*_):
    digest = hashlib.sha256()
    for one in blocks:
        digest.update(one[:64]); digest.update(one[-64:])
    open('/tmp/sum.new', 'w').write(digest.hexdigest())
    os.rename('/tmp/sum.new', '/tmp/sum')
signal.signal(signal.SIGUSR1, report)
open('/tmp/ready', 'w').close()
while True:
    signal.pause()
END
nohup python3 /tmp/holder.py >/dev/null 2>&1 & echo $! > /tmp/pid
while [ ! -e /tmp/ready ]; do sleep 0.1; done`;
const ask =
  "rm -f /tmp/sum; kill -USR1 $(cat /tmp/pid); while [ ! -s /tmp/sum ]; do sleep 0.05; done; cat /tmp/sum";
const size =
  "nproc; awk '/MemTotal/ {print int($2 / 1024)}' /proc/meminfo; df -m --output=size / | tail -1";

describe("machines that are larger than the golden one", () => {
  let scene: WorkerScene;
  before(async () => {
    scene = await startWorkerScene({
      installationId: "5a7e0003",
      block: "198.19.232.0/22",
      isBaked: true,
      warmPoolSize: 0,
    });
    await scene.start();
    await scene.trust();
  });
  after(async () => {
    await scene.stop("SIGTERM");
    await scene.close();
  });

  async function post(path: string, body?: object): Promise<void> {
    const response = await scene.call("POST", path, body);
    assert.ok(response.status < 300, JSON.stringify(response.body));
  }
  const run = async (id: string, cmd: string) => {
    const { exitCode, stdout, stderr } = await scene.run(id, cmd);
    assert.equal(exitCode, 0, stderr);
    return stdout.trim();
  };
  async function sizeOf(id: string) {
    const [cpuCount = 0, memoryMB = 0, diskMB = 0] = (await run(id, size)).split("\n").map(Number);
    return { cpuCount, memoryMB, diskMB };
  }

  test("CPUs, plugged memory with its content, and the disk come back; a fork may have more or less", async () => {
    const id = await scene.create({ cpuCount: 2, memoryMB: 2048, diskMB: 22_528 });
    await run(id, holder);
    const sum = await run(id, ask);
    const before = await sizeOf(id);
    assert.equal(before.cpuCount, 2);
    assert.ok(before.memoryMB > 1900 && before.diskMB > 21_000, JSON.stringify(before));

    await post(`/v1/sandboxes/${id}/hibernate`);
    await post(`/v1/sandboxes/${id}/wake`, policy);
    await post(`/v1/sandboxes/${id}/start`);
    assert.equal(await run(id, ask), sum);
    assert.deepEqual(await sizeOf(id), before);

    const checkpointId = randomUUID();
    const made = await scene.call("PUT", `/v1/checkpoints/${checkpointId}`, {
      sandboxId: id,
      kind: "full",
    });
    assert.equal(made.status, 200, JSON.stringify(made.body));
    const larger = await scene.create({
      checkpointId,
      cpuCount: 2,
      memoryMB: 3072,
      diskMB: 24_576,
    });
    assert.equal(await run(larger, ask), sum);
    const after = await sizeOf(larger);
    assert.ok(after.memoryMB > 2900 && after.diskMB > 23_000, JSON.stringify(after));
    await scene.call("DELETE", `/v1/sandboxes/${larger}`);
    await scene.call("DELETE", `/v1/sandboxes/${id}`);
    await scene.call("DELETE", `/v1/checkpoints/${checkpointId}`);
  });

  test("a small machine stays small, and its fork may be larger (full run)", async () => {
    const id = await scene.create({ memoryMB: 512 });
    const before = await sizeOf(id);
    assert.ok(before.memoryMB < 512, JSON.stringify(before));
    await post(`/v1/sandboxes/${id}/hibernate`);
    await post(`/v1/sandboxes/${id}/wake`, policy);
    await post(`/v1/sandboxes/${id}/start`);
    assert.deepEqual(await sizeOf(id), before);
    const checkpointId = randomUUID();
    const request = { sandboxId: id, kind: "full" };
    assert.equal((await scene.call("PUT", `/v1/checkpoints/${checkpointId}`, request)).status, 200);
    const larger = await scene.create({ checkpointId, memoryMB: 1024 });
    assert.ok((await sizeOf(larger)).memoryMB > before.memoryMB + 400);
    await scene.call("DELETE", `/v1/sandboxes/${larger}`);
    await scene.call("DELETE", `/v1/sandboxes/${id}`);
    await scene.call("DELETE", `/v1/checkpoints/${checkpointId}`);
  });
});
