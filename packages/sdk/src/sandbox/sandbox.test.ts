import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ConnectionOptions } from "../connection.ts";
import { Project } from "../project.ts";
import { SecretStore } from "../secret-store.ts";
import { type ContractServer, startContractServer } from "../testing/start-contract-server.ts";
import { Sandbox } from "./sandbox.ts";

describe("Sandbox", () => {
  let server: ContractServer;
  let connection: ConnectionOptions;
  before(async () => {
    server = await startContractServer();
    connection = { apiKey: server.apiKey, apiUrl: server.url };
  });
  after(() => server.close());

  test("create gives a store's secrets as tokens, and the caller's variables as they are", async () => {
    const store = await SecretStore.create({ name: "create-store", ...connection });
    await SecretStore.setSecret(store.id, "API_KEY", "the-real-value", connection);
    const sandbox = await Sandbox.create({
      secretStore: "create-store",
      envs: { PLAIN: "as is" },
      ...connection,
    });
    const result = await sandbox.exec.run('echo "$API_KEY|$PLAIN"');
    assert.match(result.stdout, /^osb_sealed_[0-9a-f]{32}\|as is\n$/);
  });

  test("create sends only what was passed", async () => {
    const bodies: string[] = [];
    const fetch: ConnectionOptions["fetch"] = async (url, init) => {
      bodies.push(String(init.body));
      return await globalThis.fetch(url, init);
    };
    await Project.create({ name: "sizes", cpuCount: 2, memoryMB: 2048, ...connection });
    const sandbox = await Sandbox.create({ project: "sizes", memoryMB: 512, ...connection, fetch });
    assert.deepEqual(bodies, ['{"project":"sizes","memoryMB":512}']);
    assert.deepEqual([sandbox.info.cpuCount, sandbox.info.memoryMB], [2, 512]);
  });

  test("create names a store or a project that does not exist", async () => {
    await assert.rejects(Sandbox.create({ secretStore: "absent", ...connection }), {
      code: "secret_store_not_found",
      status: 400,
    });
    await assert.rejects(Sandbox.create({ project: "absent", ...connection }), {
      code: "project_not_found",
      message: "project not found: absent",
    });
  });

  test("connect finds the same sandbox, and refuses an unknown id", async () => {
    const { sandboxId } = await Sandbox.create({ metadata: { owner: "me" }, ...connection });
    const found = await Sandbox.connect(sandboxId, connection);
    assert.deepEqual([found.id, found.info.metadata], [sandboxId, { owner: "me" }]);
    await assert.rejects(Sandbox.connect("sb-absent", connection), { code: "sandbox_not_found" });
  });

  test("list and get return what create made", async () => {
    const { sandboxId } = await Sandbox.create({ cpuCount: 4, ...connection });
    const listed = (await Sandbox.list(connection)).find((row) => row.sandboxID === sandboxId);
    assert.equal(listed?.cpuCount, 4);
    assert.equal((await Sandbox.get(sandboxId, connection)).cpuCount, 4);
    assert.deepEqual(await Sandbox.list({ status: "hibernated", ...connection }), []);
  });

  test("kill ends it: it no longer runs nor works, and killing it again changes nothing", async () => {
    const sandbox = await Sandbox.create(connection);
    assert.equal(await sandbox.isRunning(), true);
    await sandbox.kill();
    assert.equal(await sandbox.isRunning(), false);
    await assert.rejects(sandbox.exec.run("true"), { code: "sandbox_not_running", status: 409 });
    await sandbox.kill();
    await Sandbox.kill(sandbox.id, connection);
    await assert.rejects(Sandbox.kill("sb-absent", connection), { code: "sandbox_not_found" });
  });

  test("kill deletes the secret store on request, and does nothing while another uses it", async () => {
    const { id } = await SecretStore.create({ name: "owned", ...connection });
    const options = { secretStore: "owned", ...connection };
    const [one, other] = [await Sandbox.create(options), await Sandbox.create(options)];
    const refusal = { code: "secret_store_in_use", status: 409 };
    await assert.rejects(one.kill({ deleteSecretStore: true }), refusal);
    assert.ok(await one.isRunning());
    await other.kill();
    assert.equal((await SecretStore.get(id, connection)).name, "owned");
    await Sandbox.kill(one.id, { ...connection, deleteSecretStore: true });
    await assert.rejects(SecretStore.get(id, connection), { status: 404 });
  });

  test("connect refuses a killed sandbox, which get still returns", async () => {
    const { sandboxId } = await Sandbox.create(connection);
    await Sandbox.kill(sandboxId, connection);
    assert.equal((await Sandbox.get(sandboxId, connection)).status, "stopped");
    await assert.rejects(Sandbox.connect(sandboxId, connection), {
      name: "OpenComputerError",
      code: "sandbox_not_found",
      status: 404,
      message: /was killed or has ended/,
    });
  });

  test("isRunning does not take a broken service for a stopped sandbox", async () => {
    const sandbox = await Sandbox.create(connection);
    server.interceptNext((_, response) => response.writeHead(500).end("{}"));
    await assert.rejects(sandbox.isRunning(), { status: 500 });
  });

  test("setTimeout moves the end, 0 takes it away, and a negative one is refused", async () => {
    const sandbox = await Sandbox.create({ timeout: 10, ...connection });
    const before = (await sandbox.getInfo()).endAt;
    await sandbox.setTimeout(600);
    assert.ok(Date.parse((await sandbox.getInfo()).endAt ?? "") > Date.parse(before ?? ""));
    await sandbox.setTimeout(0);
    assert.equal((await sandbox.getInfo()).endAt, null);
    await assert.rejects(sandbox.setTimeout(-1), { status: 400, message: /positive/ });
  });

  test("setTags replaces all tags; getTags, get and listTagKeys show them", async () => {
    const sandbox = await Sandbox.create(connection);
    assert.deepEqual(await sandbox.getTags(), { tags: {}, tagsLastUpdatedAt: null });
    await sandbox.setTags({ team: "a", old: "x" });
    const { tags, tagsLastUpdatedAt } = await sandbox.setTags({ team: "b" });
    assert.deepEqual(tags, { team: "b" });
    assert.deepEqual(await sandbox.getTags(), { tags, tagsLastUpdatedAt });
    assert.deepEqual((await sandbox.getInfo()).tags, tags);
    assert.deepEqual(await Sandbox.listTagKeys(connection), [
      { key: "team", sandboxCount: 1, valueCount: 1 },
    ]);
    await assert.rejects(sandbox.setTags({ "a b": "x" }), { code: "invalid_request" });
    await sandbox.setTags({});
  });

  test("updateTags sets and removes some tags and keeps the others", async () => {
    const sandbox = await Sandbox.create(connection);
    await sandbox.setTags({ team: "a", old: "x" });
    const { tags } = await sandbox.updateTags({ env: "", old: null, absent: null });
    assert.deepEqual(tags, { team: "a", env: "" });
    assert.deepEqual((await sandbox.getTags()).tags, tags);
    await assert.rejects(sandbox.updateTags({ "a b": null }), { code: "invalid_request" });
    await sandbox.setTags({});
  });

  test("allowedHosts leaves secrets without host limits out", async () => {
    const store = await SecretStore.create({
      name: "hosts",
      egressAllowlist: ["API.example.com."],
      ...connection,
    });
    await SecretStore.setSecret(store.id, "LIMITED", "value-1", {
      allowedHosts: ["*.example.com"],
      ...connection,
    });
    await SecretStore.setSecret(store.id, "FREE", "value-2", connection);
    const sandbox = await Sandbox.create({ secretStore: "hosts", ...connection });
    assert.deepEqual(await sandbox.allowedHosts(), {
      sandboxID: sandbox.id,
      secretStore: "hosts",
      egressAllowlist: ["api.example.com"],
      perSecretAllowedHosts: { LIMITED: ["*.example.com"] },
      secretsForAllHosts: ["FREE"],
    });
  });

  test("a signal of create does not reach later calls", async () => {
    const controller = new AbortController();
    const sandbox = await Sandbox.create({ ...connection, signal: controller.signal });
    controller.abort();
    assert.equal((await sandbox.exec.run("echo still")).stdout, "still\n");
  });

  test("what counts as use is chosen at a create, and inherited by a fork", async () => {
    const sandbox = await Sandbox.create({ ...connection, idle: "cpu" });
    assert.equal((await sandbox.getInfo()).idle, "cpu");
    const { id } = await sandbox.createCheckpoint("busy", { wait: true });
    const fork = await Sandbox.createFromCheckpoint(id, connection);
    assert.equal(fork.info.idle, "cpu");
    const other = await Sandbox.createFromCheckpoint(id, { ...connection, idle: "requests" });
    assert.equal(other.info.idle, "requests");
  });
});
