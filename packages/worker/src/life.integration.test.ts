import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  hibernatedSandboxSchema,
  type WorkerSandbox,
  workerCheckpointListSchema,
  workerCheckpointSchema,
  workerSandboxSchema,
} from "@opencomputer/protocol/wire";
import {
  newSandboxId,
  startWorkerScene,
  until,
  type WorkerScene,
} from "./testing/worker-process.ts";

const policy = { egressMode: "allowlisted", envs: { GREETING: "hello" } } as const;
/** Checkpoints of a memory that changes meanwhile. */
const changingRounds = process.env["OPENCOMPUTER_TEST_FULL"] === "1" ? 5 : 1;
/** A process that counts in memory only, and writes its count on a signal. */
const counter = `cat > /tmp/counter.py <<'END'
import signal, time
count = 0
def report(*_):
    open('/tmp/count', 'w').write(str(count))
signal.signal(signal.SIGUSR1, report)
open('/tmp/ready', 'w').close()
while True:
    count += 1
    time.sleep(0.05)
END
nohup python3 /tmp/counter.py >/dev/null 2>&1 & echo $! > /tmp/pid
while [ ! -e /tmp/ready ]; do sleep 0.05; done`;
const ask =
  "rm -f /tmp/count; kill -USR1 $(cat /tmp/pid); while [ ! -s /tmp/count ]; do sleep 0.02; done; cat /tmp/count";
/** A process that writes one number after the other to many pages, and reports when a page has not the one before. */
const mirror = `cat > /tmp/mirror.py <<'END'
import mmap, os
pages = memoryview(mmap.mmap(-1, 64 * 4096)).cast('Q')
number = 0
while True:
    number += 1
    for page in range(0, 64 * 512, 512):
        if pages[page] != number - 1:
            open('/tmp/torn', 'a').write(f'{pages[page]} in the place of {number - 1}\\n')
        pages[page] = number
    if number % 16 == 0 and not os.path.exists('/tmp/mirrors'):
        open('/tmp/mirrors', 'w').close()
END
nohup python3 /tmp/mirror.py >/dev/null 2>&1 &
while [ ! -e /tmp/mirrors ]; do sleep 0.05; done`;
/** A process that notes each name that its machine has, and writes them on a signal. */
const witness = `cat > /tmp/witness.py <<'END'
import os, signal, time
names = []
def report(*_):
    open('/tmp/names', 'w').write(' '.join(names))
signal.signal(signal.SIGUSR1, report)
open('/tmp/witnesses', 'w').close()
while True:
    name = os.uname().nodename
    if name not in names:
        names.append(name)
    time.sleep(0.05)
END
nohup python3 /tmp/witness.py >/dev/null 2>&1 & echo $! > /tmp/witness-pid
while [ ! -e /tmp/witnesses ]; do sleep 0.05; done`;
const askWitness =
  "rm -f /tmp/names; kill -USR1 $(cat /tmp/witness-pid); while [ ! -s /tmp/names ]; do sleep 0.02; done; cat /tmp/names; echo";

describe("the life of a machine", () => {
  let scene: WorkerScene;
  before(async () => {
    scene = await startWorkerScene({
      installationId: "5a7e0001",
      block: "198.19.240.0/22",
      isBaked: true,
    });
    await scene.start();
    await scene.trust();
  });
  after(async () => {
    for (const { sandboxId } of await sandboxes())
      await scene.call("DELETE", `/v1/sandboxes/${sandboxId}`);
    await scene.stop("SIGTERM");
    const { machines, processes, namespaces } = await scene.traces();
    assert.deepEqual(
      { machines, processes, namespaces },
      { machines: [], processes: [], namespaces: [] },
    );
    await scene.close();
  });

  async function expectOk(call: Promise<{ status: number; body: unknown }>): Promise<unknown> {
    const { status, body } = await call;
    assert.ok(status < 300, JSON.stringify(body));
    return body;
  }
  async function sandboxes(): Promise<WorkerSandbox[]> {
    return workerSandboxSchema.array().parse((await scene.call("GET", "/v1/sandboxes")).body);
  }
  const stateOf = async (id: string) =>
    (await sandboxes()).find(({ sandboxId }) => sandboxId === id)?.state;
  const hibernate = async (id: string) =>
    hibernatedSandboxSchema.parse(
      await expectOk(scene.call("POST", `/v1/sandboxes/${id}/hibernate`)),
    );
  async function wake(id: string): Promise<WorkerSandbox> {
    const woken = workerSandboxSchema.parse(
      await expectOk(scene.call("POST", `/v1/sandboxes/${id}/wake`, policy)),
    );
    assert.equal(woken.state, "prepared");
    return start(id);
  }
  async function start(id: string): Promise<WorkerSandbox> {
    return workerSandboxSchema.parse(
      await expectOk(scene.call("POST", `/v1/sandboxes/${id}/start`)),
    );
  }
  async function checkpoint(sandboxId: string, kind: "full" | "disk_only") {
    const id = randomUUID();
    const body = await expectOk(scene.call("PUT", `/v1/checkpoints/${id}`, { sandboxId, kind }));
    return workerCheckpointSchema.parse(body);
  }
  const run = async (id: string, cmd: string) => {
    const { exitCode, stdout, stderr } = await scene.run(id, cmd);
    assert.equal(exitCode, 0, stderr);
    return stdout.trim();
  };

  const lastWriteTo = async (layerId: string) =>
    (await stat(join(scene.dataDirectory, "worker/layers", `${layerId}.qcow2`))).mtimeMs;

  test("hibernate and wake: memory, files and environment come back; time continues", async () => {
    const id = await scene.create();
    await run(id, `${counter}; echo kept > ~/file`);
    await run(
      id,
      "head -c 4M /dev/urandom > ~/part; for n in $(seq 50); do cat ~/part; done > ~/large; sync",
    );
    await run(id, "sudo sh -c 'echo 3 > /proc/sys/vm/drop_caches'");
    const before = Number(await run(id, ask));
    const machineId = await run(id, "cat /etc/machine-id");
    const layers = (await scene.recordOf(id)).disk.layers;
    const { sizeBytes } = await hibernate(id);
    const writtenAt = await Promise.all(layers.map(lastWriteTo));
    assert.ok(sizeBytes > 210 * 2 ** 20 && sizeBytes < 2 ** 30, `${sizeBytes}`);
    assert.deepEqual(await hibernate(id), { sizeBytes });
    const saved = (await sandboxes()).find(({ sandboxId }) => sandboxId === id);
    assert.equal(saved?.state, "hibernated");
    assert.equal(saved?.sourceAddress, null);
    assert.equal(
      (await scene.call("POST", `/v1/sandboxes/${id}/exec/run`, { cmd: "true" })).status,
      409,
    );
    const woken = await wake(id);
    assert.equal(woken.memory, "kept");
    await run(id, "echo more > ~/more; sync");
    assert.deepEqual((await scene.recordOf(id)).disk.layers.slice(1), layers);
    assert.deepEqual(await Promise.all(layers.map(lastWriteTo)), writtenAt, "what is saved stays");
    const after = Number(await run(id, ask));
    assert.ok(after >= before, `${after} after ${before}`);
    assert.equal(await run(id, "cat ~/file; echo $GREETING"), "kept\nhello");
    assert.equal(await run(id, "cat /etc/machine-id"), machineId);
    const drift = Math.abs(Date.now() / 1000 - Number(await run(id, "date +%s")));
    assert.ok(drift < 10, `the clock is ${drift} s off`);
    await hibernate(id);
    await wake(id);
    assert.ok(Number(await run(id, ask)) >= after);
    await expectOk(scene.call("DELETE", `/v1/sandboxes/${id}`));
  });

  test("a full checkpoint: the sandbox continues, and forks begin where it was", async () => {
    const id = await scene.create();
    await run(id, `${counter}; echo before > ~/file`);
    const made = await checkpoint(id, "full");
    assert.ok(made.pauseMilliseconds > 0, `${made.pauseMilliseconds}`);
    const atCheckpoint = Number(await run(id, ask));
    await run(id, "echo after > ~/file; echo new > ~/new; sync");
    const forks = await Promise.all(
      [1, 2, 3].map(() => scene.create({ checkpointId: made.checkpointId })),
    );
    for (const fork of forks) {
      assert.equal(
        await run(fork, "cat ~/file; ls ~/new 2>/dev/null || true; hostname"),
        `before\n${fork}`,
      );
      assert.ok(Number(await run(fork, ask)) > 0);
    }
    const machineIds = await Promise.all(forks.map((fork) => run(fork, "cat /etc/machine-id")));
    assert.equal(new Set(machineIds).size, forks.length);
    const random = await Promise.all(
      forks.map((fork) => run(fork, "head -c 16 /dev/urandom | od -An -tx1")),
    );
    assert.equal(new Set(random).size, forks.length);
    assert.equal(await run(id, "cat ~/file ~/new"), "after\nnew");
    assert.ok(Number(await run(id, ask)) >= atCheckpoint);

    await expectOk(scene.call("DELETE", `/v1/checkpoints/${made.checkpointId}`));
    assert.equal((await scene.call("DELETE", `/v1/checkpoints/${made.checkpointId}`)).status, 404);
    const refused = await scene.call("POST", "/v1/sandboxes", {
      ...(await scene.prepare()),
      sandboxId: newSandboxId(),
      checkpointId: made.checkpointId,
    });
    assert.equal(refused.status, 404);
    const [first = "", ...others] = forks;
    await run(first, "echo later > ~/file; sync");
    await hibernate(first);
    await wake(first);
    assert.equal(await run(first, "cat ~/file"), "later");
    for (const each of [id, first, ...others]) {
      await expectOk(scene.call("DELETE", `/v1/sandboxes/${each}`));
    }
  });

  /** The pool has its machine, and a machine for what was just saved is warm, or is being made. */
  async function warmMachineIds(): Promise<string[]> {
    await until("a machine is warm", async () => (await countReady()) === 2);
    return (await scene.traces()).machines;
  }

  async function poolIsFull(): Promise<void> {
    await until("the pool is full", async () => (await countReady()) === 1);
  }

  /** Machines that no sandbox has. */
  async function countReady(): Promise<number> {
    const inUse = (await sandboxes()).filter(({ state }) => state !== "hibernated");
    return (await scene.traces()).machines.length - inUse.length;
  }

  test("full checkpoints of a memory that changes without end: each is of one moment (full run)", async () => {
    const id = await scene.create();
    await run(id, mirror);
    for (let round = 0; round < changingRounds; round += 1) {
      const { checkpointId } = await checkpoint(id, "full");
      const fork = await scene.create({ checkpointId });
      await run(fork, "rm /tmp/mirrors; while [ ! -e /tmp/mirrors ]; do sleep 0.05; done");
      assert.equal(await run(fork, "cat /tmp/torn || echo whole"), "whole", `round ${round}`);
      await expectOk(scene.call("DELETE", `/v1/sandboxes/${fork}`));
      await expectOk(scene.call("DELETE", `/v1/checkpoints/${checkpointId}`));
    }
    await expectOk(scene.call("DELETE", `/v1/sandboxes/${id}`));
  });

  test("a warm machine: what runs in it has not noticed the wait (full run)", async () => {
    const id = await scene.create();
    await run(id, `${counter}\n${witness}\nsudo hostname mine`);
    await poolIsFull();
    const count = Number(await run(id, ask));
    await hibernate(id);
    const ready = await warmMachineIds();
    await wake(id);
    assert.ok(ready.includes((await scene.recordOf(id)).id), "a new machine was made");
    assert.ok(Number(await run(id, ask)) >= count);
    assert.equal(await run(id, "hostname; echo $GREETING"), "mine\nhello");
    assert.equal(await run(id, askWitness), `${id} mine`);
    await until("it counts on", async () => Number(await run(id, ask)) > count + 10);

    await poolIsFull();
    const { checkpointId } = await checkpoint(id, "full");
    let before = await warmMachineIds();
    let fork = await scene.create({ checkpointId });
    // One that is still being made is not waited for.
    await until("a fork is of a warm machine", async () => {
      if (before.includes((await scene.recordOf(fork)).id)) return true;
      await expectOk(scene.call("DELETE", `/v1/sandboxes/${fork}`));
      before = await warmMachineIds();
      fork = await scene.create({ checkpointId });
      return false;
    });
    await run(fork, ask);
    assert.equal(await run(fork, `${askWitness}; hostname`), `${id} mine ${fork}\n${fork}`);
    await expectOk(scene.call("DELETE", `/v1/sandboxes/${fork}`));
    await expectOk(scene.call("DELETE", `/v1/checkpoints/${checkpointId}`));
    await expectOk(scene.call("DELETE", `/v1/sandboxes/${id}`));
  });

  test("a warm machine that is discarded has changed nothing of what was saved (full run)", async () => {
    const id = await scene.create();
    await run(id, `${counter}; echo saved > ~/file; sync`);
    const count = Number(await run(id, ask));
    await poolIsFull();
    await hibernate(id);
    const ready = await warmMachineIds();
    await scene.stop("SIGKILL");
    await scene.start();
    await scene.trust();
    await wake(id);
    assert.ok(!ready.includes((await scene.recordOf(id)).id), "it was not discarded");
    assert.equal(await run(id, "cat ~/file"), "saved");
    assert.ok(Number(await run(id, ask)) >= count);
    assert.equal(await run(id, "sudo dmesg | grep -c 'EXT4-fs error' || true"), "0");
    await expectOk(scene.call("DELETE", `/v1/sandboxes/${id}`));
  });

  test("a checkpoint of the disk: forks boot from it (full run)", async () => {
    const id = await scene.create();
    await run(id, `${counter}; echo on disk > ~/file; head -c 32M /dev/urandom > ~/large`);
    const made = await checkpoint(id, "disk_only");
    assert.ok(made.sizeBytes >= 32 * 2 ** 20, `${made.sizeBytes}`);
    await run(id, "echo later > ~/file");
    const fork = await scene.create({ checkpointId: made.checkpointId });
    assert.equal(await run(fork, "cat ~/file; echo $GREETING"), "on disk\nhello");
    assert.equal(await run(fork, "pgrep -f [c]ounter.py || echo none"), "none");
    assert.equal(await run(id, "cat ~/file"), "later");
    const next = await checkpoint(id, "disk_only");
    assert.ok(next.sizeBytes < 16 * 2 ** 20, `${next.sizeBytes}`);
    await expectOk(scene.call("DELETE", `/v1/checkpoints/${next.checkpointId}`));
    for (const each of [id, fork]) await expectOk(scene.call("DELETE", `/v1/sandboxes/${each}`));
    await expectOk(scene.call("DELETE", `/v1/checkpoints/${made.checkpointId}`));
  });

  test("restore in place: memory and disk are again what they were (full run)", async () => {
    const id = await scene.create();
    await run(id, `${counter}; echo first > ~/file`);
    const made = await checkpoint(id, "full");
    await run(id, "echo second > ~/file; kill $(cat /tmp/pid)");
    const request = { ...policy, checkpointId: made.checkpointId };
    const absent = { ...policy, checkpointId: randomUUID() };
    assert.equal((await scene.call("POST", `/v1/sandboxes/${id}/restore`, absent)).status, 404);
    assert.equal(await run(id, "cat ~/file"), "second");
    await expectOk(scene.call("POST", `/v1/sandboxes/${id}/restore`, request));
    await start(id);
    assert.equal(await run(id, "cat ~/file"), "first");
    assert.ok(Number(await run(id, ask)) > 0);
    await expectOk(scene.call("DELETE", `/v1/sandboxes/${id}`));
    await expectOk(scene.call("DELETE", `/v1/checkpoints/${made.checkpointId}`));
  });

  test("a machine that is killed loses its memory and not its disk (full run)", async () => {
    const id = await scene.create();
    await run(id, "echo on disk > ~/file; sync");
    process.kill((await scene.recordOf(id)).process.pid, "SIGKILL");
    await until("it counts as hibernated", async () => (await stateOf(id)) === "hibernated");
    const woken = await wake(id);
    assert.deepEqual([woken.memory, woken.lostBecause], ["lost", "its machine ended by itself"]);
    assert.equal(await run(id, "cat ~/file"), "on disk");
    await expectOk(scene.call("DELETE", `/v1/sandboxes/${id}`));
  });

  test("a machine that is stalled while the worker restarts is kept, with its memory (full run)", async () => {
    const id = await scene.create();
    await run(id, counter);
    const { pid } = (await scene.recordOf(id)).process;
    process.kill(pid, "SIGSTOP");
    try {
      await scene.stop("SIGKILL");
      await scene.start();
      assert.equal(await stateOf(id), "running");
    } finally {
      process.kill(pid, "SIGCONT");
    }
    assert.equal((await scene.recordOf(id)).process.pid, pid);
    assert.ok(Number(await run(id, ask)) > 0, "the counter continues");
    await scene.trust();
    await expectOk(scene.call("DELETE", `/v1/sandboxes/${id}`));
  });

  test("a machine whose record cannot be read is left alone, with all that may be its own (full run)", async () => {
    const [broken, other, sleeping] = [
      await scene.create(),
      await scene.create(),
      await scene.create(),
    ];
    await run(broken, `${counter}; echo kept > ~/file`);
    await run(sleeping, "echo sleeping > ~/file");
    await hibernate(sleeping);
    const record = await scene.recordOf(broken);
    const recordPath = join(scene.dataDirectory, "worker/machines", record.id, "machine.json");
    const manifestPath = join(scene.dataDirectory, "worker/hibernated", sleeping, "saved.json");
    const [text, manifest] = [await readFile(recordPath), await readFile(manifestPath)];
    await scene.stop("SIGKILL");
    await writeFile(recordPath, text.subarray(0, 100));
    await writeFile(manifestPath, '{"kind":"of a later version"}');
    await scene.start();
    await scene.trust();
    assert.deepEqual((await scene.status()).quarantined.toSorted(), [
      dirname(manifestPath),
      dirname(recordPath),
    ]);
    assert.equal(await run(other, "echo here"), "here");
    const added = await scene.create();
    await expectOk(scene.call("DELETE", `/v1/sandboxes/${added}`));
    process.kill(record.process.pid, 0);
    await scene.stop("SIGTERM");
    process.kill(record.process.pid, 0);
    await writeFile(recordPath, text);
    await writeFile(manifestPath, manifest);
    await scene.start();
    await scene.trust();
    assert.deepEqual((await scene.status()).quarantined, []);
    assert.equal(await run(broken, "cat ~/file"), "kept");
    assert.ok(Number(await run(broken, ask)) > 0, "the counter continues");
    await wake(sleeping);
    assert.equal(await run(sleeping, "cat ~/file"), "sleeping");
    for (const each of [broken, other, sleeping]) {
      await expectOk(scene.call("DELETE", `/v1/sandboxes/${each}`));
    }
  });

  test("a worker that is killed finds running, hibernated and saved machines again", async () => {
    const running = await scene.create();
    const sleeping = await scene.create();
    await run(running, `${counter}; echo running > ~/file`);
    await run(sleeping, `${counter}; echo sleeping > ~/file`);
    const made = await checkpoint(running, "full");
    await hibernate(sleeping);
    await scene.stop("SIGKILL");
    await scene.start();
    await scene.trust();
    assert.deepEqual(
      workerCheckpointListSchema.parse((await scene.call("GET", "/v1/checkpoints")).body),
      [made],
    );
    assert.equal(await run(running, "cat ~/file"), "running");
    await wake(sleeping);
    assert.equal(await run(sleeping, "cat ~/file"), "sleeping");
    assert.ok(Number(await run(sleeping, ask)) > 0);
    const fork = await scene.create({ checkpointId: made.checkpointId });
    assert.ok(Number(await run(fork, ask)) > 0);
    for (const each of [running, sleeping, fork]) {
      await expectOk(scene.call("DELETE", `/v1/sandboxes/${each}`));
    }
    await expectOk(scene.call("DELETE", `/v1/checkpoints/${made.checkpointId}`));
    assert.equal((await scene.layers()).length, (await scene.traces()).machines.length);
  });
});
