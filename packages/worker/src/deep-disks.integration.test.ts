import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { workerSandboxSchema } from "@opencomputer/protocol/wire";
import { startWorkerScene, until, type WorkerScene } from "./testing/worker-process.ts";

const policy = { egressMode: "allowlisted", envs: {} } as const;
/** The disk has a layer before the first of them. */
const checkpointsUntilDeep = 8;
/** A process that writes to the disk many times a second, and notes how far it is in memory only. */
const writer = `cat > /tmp/writer.py <<'END'
import os, time
count = 0
while True:
    count += 1
    with open('/home/sandbox/written', 'w') as file:
        file.write(str(count))
        file.flush()
        os.fsync(file.fileno())
    time.sleep(0.02)
END
nohup python3 /tmp/writer.py >/dev/null 2>&1 & echo $! > /tmp/writer-pid`;
const readUncached = "sudo sh -c 'echo 3 > /proc/sys/vm/drop_caches'; cat ~/parts/*";
const diskErrors = "sudo dmesg | grep -c 'EXT4-fs error\\|I/O error' || true";

describe("a disk with many checkpoints", () => {
  let scene: WorkerScene;
  before(async () => {
    scene = await startWorkerScene({
      installationId: "5a7e0004",
      block: "198.19.236.0/22",
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

  async function expectOk(call: Promise<{ status: number; body: unknown }>): Promise<void> {
    const { status, body } = await call;
    assert.ok(status < 300, JSON.stringify(body));
  }
  const run = async (id: string, cmd: string) => {
    const { exitCode, stdout, stderr } = await scene.run(id, cmd);
    assert.equal(exitCode, 0, stderr);
    return stdout.trim();
  };
  async function checkpoint(sandboxId: string, kind: "full" | "disk_only"): Promise<string> {
    const id = randomUUID();
    await expectOk(scene.call("PUT", `/v1/checkpoints/${id}`, { sandboxId, kind }));
    return id;
  }
  const deleteCheckpoint = (id: string) => expectOk(scene.call("DELETE", `/v1/checkpoints/${id}`));
  const deleteSandbox = (id: string) => expectOk(scene.call("DELETE", `/v1/sandboxes/${id}`));
  const layersOf = async (id: string) => (await scene.recordOf(id)).disk.layers;
  const start = (id: string) => expectOk(scene.call("POST", `/v1/sandboxes/${id}/start`));

  /** A sandbox with one part of a text in each layer of its disk, and a checkpoint of each. */
  async function deep(): Promise<{ id: string; checkpoints: string[]; text: string }> {
    const id = await scene.create();
    await run(id, `mkdir ~/parts; ${writer}`);
    const checkpoints: string[] = [];
    let text = "";
    for (let part = 0; part < checkpointsUntilDeep; part += 1) {
      await run(id, `echo part ${part} > ~/parts/${part}`);
      text += `${part === 0 ? "" : "\n"}part ${part}`;
      checkpoints.push(await checkpoint(id, part === 4 ? "full" : "disk_only"));
    }
    return { id, checkpoints, text };
  }
  const untilShallow = (id: string) =>
    until("the disk is shallow", async () => (await layersOf(id)).length < checkpointsUntilDeep);

  test("is flattened while the sandbox writes to it; nothing is lost in any form of it", async () => {
    const { id, checkpoints, text } = await deep();
    await untilShallow(id);
    assert.equal(await run(id, readUncached), text);
    const written = Number(await run(id, "cat ~/written"));
    await run(id, "kill -0 $(cat /tmp/writer-pid)");
    await until("the writer continues", async () => {
      return Number(await run(id, "cat ~/written")) > written;
    });
    assert.equal(await run(id, diskErrors), "0");

    const first = await scene.create({ checkpointId: checkpoints[0] ?? null });
    assert.equal(await run(first, readUncached), "part 0");
    const last = await scene.create({ checkpointId: checkpoints.at(-1) ?? null });
    assert.equal(await run(last, readUncached), text);

    // What it reads from after this is what its layers' own headers say.
    process.kill((await scene.recordOf(id)).process.pid, "SIGKILL");
    await until("it counts as hibernated", async () => {
      const { body } = await scene.call("GET", `/v1/sandboxes/${id}`);
      return workerSandboxSchema.parse(body).state === "hibernated";
    });
    await expectOk(scene.call("POST", `/v1/sandboxes/${id}/wake`, policy));
    await start(id);
    assert.equal(await run(id, readUncached), text);
    assert.equal(await run(id, diskErrors), "0");

    for (const sandboxId of [id, first, last]) await deleteSandbox(sandboxId);
    for (const checkpointId of checkpoints) await deleteCheckpoint(checkpointId);
    await until("no layer is left but those that wait", async () => {
      return (await scene.layers()).length === (await scene.traces()).machines.length;
    });
  });

  test("survives a worker that is killed while it is flattened (full run)", async () => {
    const { id, checkpoints, text } = await deep();
    await scene.stop("SIGKILL");
    await scene.start();
    await scene.trust();
    assert.equal(await run(id, readUncached), text);
    checkpoints.push(await checkpoint(id, "full"));
    await untilShallow(id);
    await expectOk(scene.call("POST", `/v1/sandboxes/${id}/hibernate`));
    await expectOk(scene.call("POST", `/v1/sandboxes/${id}/wake`, policy));
    await start(id);
    assert.equal(await run(id, readUncached), text);
    await run(id, "kill -0 $(cat /tmp/writer-pid)");
    await deleteSandbox(id);
    for (const checkpointId of checkpoints) await deleteCheckpoint(checkpointId);
  });

  test("stays shallow when checkpoints are made and deleted without end (full run)", async () => {
    const { id, checkpoints, text } = await deep();
    for (const checkpointId of checkpoints) await deleteCheckpoint(checkpointId);
    let deepest = 0;
    for (let round = 0; round < 30; round += 1) {
      await deleteCheckpoint(await checkpoint(id, "disk_only"));
      deepest = Math.max(deepest, (await layersOf(id)).length);
    }
    assert.ok(deepest <= 25, `${deepest} layers`);
    assert.equal(await run(id, readUncached), text);
    await deleteSandbox(id);
  });
});
