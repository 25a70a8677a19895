import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Fetch } from "../platform/fetch.ts";
import { type ContractServer, startContractServer } from "../testing/start-contract-server.ts";
import { Sandbox } from "./sandbox.ts";

describe("hibernation, checkpoints and forks", () => {
  let server: ContractServer;
  let connection: { apiUrl: string; apiKey: string };
  let sandbox: Sandbox;
  before(async () => {
    server = await startContractServer();
    connection = { apiUrl: server.url, apiKey: server.apiKey };
    sandbox = await Sandbox.create({ ...connection, envs: { PARENT: "1" } });
  });
  after(() => server.close());

  test("hibernate and wake", async () => {
    const hibernated = await sandbox.hibernate();
    assert.deepEqual([hibernated.status, hibernated.sandboxID], ["hibernated", sandbox.id]);
    assert.ok(hibernated.sizeBytes > 0);
    assert.equal(await sandbox.isRunning(), false);
    assert.deepEqual(
      (await Sandbox.list(connection)).map(({ status }) => status),
      ["hibernated"],
    );
    assert.equal((await Sandbox.connect(sandbox.id, connection)).info.status, "hibernated");
    assert.equal((await sandbox.wake({ timeout: 600 })).status, "running");
    assert.equal(await sandbox.isRunning(), true);
  });

  test("a checkpoint is forked with what the fork adds", async () => {
    const checkpoint = await sandbox.createCheckpoint("repo-cloned");
    assert.deepEqual([checkpoint.status, checkpoint.kind], ["processing", "full"]);
    const [listed] = await sandbox.listCheckpoints();
    assert.deepEqual([listed?.id, listed?.status], [checkpoint.id, "ready"]);
    const fork = await Sandbox.createFromCheckpoint(checkpoint.id, {
      ...connection,
      envs: { FORK: "2" },
      metadata: { of: "parent" },
    });
    assert.equal(fork.info.fromCheckpointId, checkpoint.id);
    assert.deepEqual(fork.info.metadata, { of: "parent" });
    assert.equal((await fork.exec.run("echo $PARENT$FORK")).stdout, "12\n");
    assert.equal((await sandbox.exec.run("echo $PARENT$FORK")).stdout, "1\n");
    const { sessionID } = await sandbox.exec.startDetached("exec sleep 60");
    const restarting = (id: string) =>
      Sandbox.createFromCheckpoint(checkpoint.id, { ...connection, restartSessions: [id] });
    assert.equal((await restarting(sessionID)).info.fromCheckpointId, checkpoint.id);
    await assert.rejects(restarting("exec-none"), { code: "session_not_found" });
    const restored = await sandbox.restoreCheckpoint(checkpoint.id);
    assert.equal(restored.status, "restoring");
    await assert.rejects(sandbox.createCheckpoint("repo-cloned"), { code: "name_in_use" });
    await sandbox.deleteCheckpoint(checkpoint.id);
    assert.deepEqual(await sandbox.listCheckpoints(), []);
    await assert.rejects(Sandbox.createFromCheckpoint(checkpoint.id, connection), {
      code: "checkpoint_not_found",
    });
  });

  test("calls that may take longer than five minutes have time for it", async (context) => {
    const signals: (AbortSignal | undefined)[] = [];
    let isSilent = false;
    const fetch: Fetch = async (url, init) => {
      if (!isSilent) return await globalThis.fetch(url, init);
      signals.push(init.signal);
      return await new Promise(() => undefined);
    };
    const slow = await Sandbox.connect(sandbox.id, { ...connection, fetch });
    isSilent = true;
    context.mock.timers.enable({ apis: ["setTimeout"] });
    void slow.hibernate();
    void slow.wake();
    void slow.createCheckpoint("slow");
    void Sandbox.createFromCheckpoint("slow", { ...connection, fetch });
    void slow.getInfo();
    context.mock.timers.tick(900_000);
    assert.deepEqual(
      signals.map((signal) => signal?.aborted),
      [false, false, false, false, true],
    );
  });

  test("checkpoints of a sandbox that was killed are listed, and deleted", async () => {
    const killed = await Sandbox.create(connection);
    const { id } = await killed.createCheckpoint("outlives-it");
    await killed.kill();
    const listed = await Sandbox.listCheckpoints(killed.id, connection);
    assert.deepEqual(
      listed.map((checkpoint) => checkpoint.id),
      [id],
    );
    await Sandbox.deleteCheckpoint(killed.id, id, connection);
    assert.deepEqual(await Sandbox.listCheckpoints(killed.id, connection), []);
    await assert.rejects(Sandbox.deleteCheckpoint(killed.id, id, connection), {
      code: "checkpoint_not_found",
    });
  });

  test("a checkpoint is waited for until it is ready, has failed, or is gone", async () => {
    const answerWith = (status: string) =>
      server.interceptNext((request, response) => {
        request.resume();
        const [row] = [...server.checkpoints.values()].slice(-1).map((kept) => kept.row);
        const listed = status === "gone" ? [] : [{ ...row, status, failure: "the disk was full" }];
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify(listed));
      }, "GET /api/sandboxes/");
    answerWith("processing");
    const ready = await sandbox.createCheckpoint("awaited", { wait: true });
    assert.equal(ready.status, "ready");
    answerWith("failed");
    await assert.rejects(sandbox.createCheckpoint("fails", { wait: true }), {
      ...{ code: "checkpoint_failed", status: 409 },
      message: /the disk was full/,
    });
    answerWith("gone");
    await assert.rejects(sandbox.createCheckpoint("goes", { wait: true }), {
      code: "checkpoint_not_found",
    });
  });

  test("patches of a checkpoint", async () => {
    const { id } = await sandbox.createCheckpoint("patched", { kind: "disk_only" });
    const one = await Sandbox.createCheckpointPatch(id, {
      ...connection,
      script: "touch /tmp/patched",
      description: "marks it",
    });
    assert.deepEqual([one.sequence, one.strategy], [1, "on_wake"]);
    assert.deepEqual(await Sandbox.listCheckpointPatches(id, connection), [one]);
    await Sandbox.deleteCheckpointPatch(id, one.id, connection);
    assert.deepEqual(await Sandbox.listCheckpointPatches(id, connection), []);
    await assert.rejects(Sandbox.deleteCheckpointPatch(id, one.id, connection), {
      code: "patch_not_found",
    });
  });
});
