import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { type WorkerSandbox, workerSandboxSchema } from "@opencomputer/protocol/wire";
import { mountVolatileDisk, type VolatileDisk } from "./testing/volatile-disk.ts";
import {
  processesOf,
  startWorkerScene,
  until,
  type WorkerScene,
} from "./testing/worker-process.ts";

const installationId = "5a7e0009";
const policy = { egressMode: "allowlisted", envs: {} } as const;
const diskBytes = 12 * 2 ** 30;
/** The disk has a layer before the first of them. */
const checkpointsUntilDeep = 8;
/** A process that counts in memory only. */
const counter = `nohup python3 -c '
import time
count = 0
while True:
    count += 1
    open("/dev/shm/count", "w").write(str(count))
    time.sleep(0.01)' >/dev/null 2>&1 &
while [ ! -s /dev/shm/count ]; do sleep 0.05; done`;

/** The data directory of a real worker loses all that was not synced, as soon as a request was answered. */
describe("a worker whose host loses its power", () => {
  let scene: WorkerScene;
  let disk: VolatileDisk;
  before(async () => {
    scene = await startWorkerScene({ installationId, block: "198.19.216.0/22", warmPoolSize: 0 });
    disk = await mountVolatileDisk(await scene.makeDataDirectory(), diskBytes);
    await scene.start();
    await scene.trust();
  });
  after(async () => {
    for (const { sandboxId } of await sandboxes())
      await scene.call("DELETE", `/v1/sandboxes/${sandboxId}`);
    await scene.stop("SIGTERM");
    await disk.close();
    await scene.close();
  });

  /** Cuts the power at once, and starts the next worker on what is left. */
  async function losePower(): Promise<void> {
    await disk.cutPower();
    await scene.stop("SIGKILL");
    for (const pid of await processesOf(installationId)) process.kill(pid, "SIGKILL");
    await disk.restorePower();
    await scene.start();
    await scene.trust();
    assert.deepEqual((await scene.status()).quarantined, []);
  }
  async function expectOk(call: Promise<{ status: number; body: unknown }>): Promise<unknown> {
    const { status, body } = await call;
    assert.ok(status < 300, JSON.stringify(body));
    return body;
  }
  async function sandboxes(): Promise<WorkerSandbox[]> {
    return workerSandboxSchema.array().parse((await scene.call("GET", "/v1/sandboxes")).body);
  }
  async function wake(id: string): Promise<WorkerSandbox> {
    await expectOk(scene.call("POST", `/v1/sandboxes/${id}/wake`, policy));
    const started = await expectOk(scene.call("POST", `/v1/sandboxes/${id}/start`));
    return workerSandboxSchema.parse(started);
  }
  const hibernate = (id: string) => expectOk(scene.call("POST", `/v1/sandboxes/${id}/hibernate`));
  const remove = (id: string) => expectOk(scene.call("DELETE", `/v1/sandboxes/${id}`));
  const run = async (id: string, cmd: string) => {
    const { exitCode, stdout, stderr } = await scene.run(id, cmd);
    assert.equal(exitCode, 0, stderr);
    return stdout.trim();
  };

  test("a sandbox that was created boots from its disk (full run)", async () => {
    const id = await scene.create();
    await losePower();
    const woken = await wake(id);
    assert.deepEqual([woken.memory, woken.lostBecause], ["lost", "its machine ended by itself"]);
    await run(id, "true");
    await remove(id);
  });

  test("what a guest synced to its disk exists", async () => {
    const id = await scene.create();
    await run(id, "head -c 5M /dev/urandom > ~/file; sha256sum ~/file > ~/sum; sync");
    await losePower();
    await wake(id);
    await run(id, "sha256sum --check --status ~/sum");
    await remove(id);
  });

  test("a hibernated sandbox wakes with its memory; a woken one keeps what came after", async () => {
    const id = await scene.create();
    await run(id, `${counter}; echo hibernated > ~/file`);
    await hibernate(id);
    await losePower();
    assert.equal((await wake(id)).memory, "kept");
    const count = Number(await run(id, "cat /dev/shm/count"));
    assert.ok(count > 0, "the counter continues");
    assert.equal(await run(id, "cat ~/file"), "hibernated");
    await run(id, "echo woken > ~/file; sync");
    await losePower();
    assert.equal((await wake(id)).memory, "lost");
    assert.equal(await run(id, "cat ~/file"), "woken");
    await remove(id);
  });

  test("a checkpoint can be forked with its memory", async () => {
    const id = await scene.create();
    await run(id, `${counter}; echo saved > ~/file`);
    const checkpointId = randomUUID();
    await expectOk(
      scene.call("PUT", `/v1/checkpoints/${checkpointId}`, { sandboxId: id, kind: "full" }),
    );
    await losePower();
    const fork = await scene.create({ checkpointId });
    assert.ok(Number(await run(fork, "cat /dev/shm/count")) > 0, "the counter continues");
    assert.equal(await run(fork, "cat ~/file"), "saved");
    for (const each of [id, fork]) await remove(each);
    await expectOk(scene.call("DELETE", `/v1/checkpoints/${checkpointId}`));
  });

  test("a disk whose layers have just become one is whole (full run)", async () => {
    const id = await scene.create();
    await run(id, "echo first > ~/file; sync");
    const checkpointIds = Array.from({ length: checkpointsUntilDeep }, () => randomUUID());
    for (const each of checkpointIds) {
      const body = { sandboxId: id, kind: "disk_only" };
      await expectOk(scene.call("PUT", `/v1/checkpoints/${each}`, body));
    }
    const layerCount = async () => (await scene.recordOf(id)).disk.layers.length;
    await until("the disk is shallow", async () => (await layerCount()) <= 2);
    await losePower();
    await wake(id);
    assert.equal(await run(id, "cat ~/file"), "first");
    await remove(id);
    for (const each of checkpointIds)
      await expectOk(scene.call("DELETE", `/v1/checkpoints/${each}`));
  });

  test("one that is being hibernated exists, with its memory or without (full run)", async () => {
    const id = await scene.create();
    await run(id, "echo synced > ~/file; sync");
    // The worker ends before it can respond.
    const hibernating = scene
      .call("POST", `/v1/sandboxes/${id}/hibernate`)
      .catch((error: unknown) => error);
    await losePower();
    await hibernating;
    await wake(id);
    assert.equal(await run(id, "cat ~/file"), "synced");
    await remove(id);
  });
});
