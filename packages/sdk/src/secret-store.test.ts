import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ConnectionOptions } from "./connection.ts";
import { Project } from "./project.ts";
import { SecretStore } from "./secret-store.ts";
import { type ContractServer, startContractServer } from "./testing/start-contract-server.ts";

let server: ContractServer;
let connection: ConnectionOptions;
before(async () => {
  server = await startContractServer();
  connection = { apiKey: server.apiKey, apiUrl: server.url };
});
after(() => server.close());

describe("SecretStore", () => {
  test("create, get, list, update and delete", async () => {
    const store = await SecretStore.create({
      name: "life",
      egressAllowlist: ["api.anthropic.com"],
      ...connection,
    });
    assert.deepEqual(await SecretStore.get(store.id, connection), store);
    assert.deepEqual(await SecretStore.list(connection), [store]);
    const renamed = await SecretStore.update(store.id, { name: "renamed", ...connection });
    assert.deepEqual([renamed.name, renamed.egressAllowlist], ["renamed", ["api.anthropic.com"]]);
    const cleared = await SecretStore.update(store.id, { egressAllowlist: [], ...connection });
    assert.deepEqual([cleared.name, cleared.egressAllowlist], ["renamed", []]);
    await SecretStore.delete(store.id, connection);
    await assert.rejects(SecretStore.get(store.id, connection), { code: "not_found", status: 404 });
  });

  test("refuses a name in use and a malformed host", async () => {
    await SecretStore.create({ name: "taken", ...connection });
    await assert.rejects(SecretStore.create({ name: "taken", ...connection }), {
      code: "name_in_use",
      status: 409,
    });
    await assert.rejects(
      SecretStore.create({ name: "hosts", egressAllowlist: ["https://x.example"], ...connection }),
      { status: 400, message: /scheme/ },
    );
  });

  test("setSecret keeps host limits that it does not name, and lifts them with []", async () => {
    const store = await SecretStore.create({ name: "limits", ...connection });
    const limitsOf = async () =>
      (await SecretStore.listSecrets(store.id, connection))[0]?.allowedHosts;
    const allowedHosts = ["api.anthropic.com"];
    await SecretStore.setSecret(store.id, "KEY", "value-1", { allowedHosts, ...connection });
    assert.deepEqual(await limitsOf(), allowedHosts);
    await SecretStore.setSecret(store.id, "KEY", "value-2", connection);
    assert.deepEqual(await limitsOf(), allowedHosts);
    await SecretStore.setSecret(store.id, "KEY", "value-3", { allowedHosts: [], ...connection });
    assert.deepEqual(await limitsOf(), []);
  });

  test("setSecret takes AWS credentials, which listSecrets has with their kind", async () => {
    const store = await SecretStore.create({ name: "aws", ...connection });
    const credentials = { accessKeyId: "AKIAEXAMPLE", secretAccessKey: "wJalrXUtnFEMI" };
    await SecretStore.setSecret(store.id, "AWS", credentials, connection);
    await SecretStore.setSecret(store.id, "KEY", "value", connection);
    const secrets = await SecretStore.listSecrets(store.id, connection);
    assert.deepEqual(
      secrets.map(({ name, kind, allowedHosts }) => [name, kind, allowedHosts]),
      [
        ["AWS", "aws", ["*.amazonaws.com"]],
        ["KEY", "value", []],
      ],
    );
    const kept = server.secrets.stores.get(store.id)?.secrets.get("AWS")?.value ?? "";
    assert.deepEqual(JSON.parse(kept), { kind: "aws", ...credentials });
    await assert.rejects(
      SecretStore.setSecret(store.id, "AWS", { ...credentials, accessKeyId: "" }, connection),
      { code: "invalid_request" },
    );
  });

  test("setSecret keeps placements that it does not name; a store's come before the default", async () => {
    const store = await SecretStore.create({ name: "placements", ...connection });
    const set = async (substituteIn?: string[]) => {
      await SecretStore.setSecret(store.id, "KEY", "value", { substituteIn, ...connection });
    };
    const placements = async () =>
      (await SecretStore.listSecrets(store.id, connection))[0]?.substituteIn;
    await set();
    assert.deepEqual(await placements(), ["header", "body"]);
    const narrowed = { substituteIn: ["header"], ...connection };
    const updated = await SecretStore.update(store.id, narrowed);
    assert.deepEqual([updated.name, updated.substituteIn], ["placements", ["header"]]);
    assert.deepEqual(await placements(), ["header"]);
    await set(["header:X-Api-Key", "query"]);
    assert.deepEqual(await placements(), ["header:x-api-key", "query"]);
    await set();
    assert.deepEqual(await placements(), ["header:x-api-key", "query"]);
    const renamed = await SecretStore.update(store.id, { name: "still", ...connection });
    assert.deepEqual(renamed.substituteIn, ["header"]);
    const cleared = await SecretStore.update(store.id, { substituteIn: [], ...connection });
    assert.equal("substituteIn" in cleared, false);
  });

  test("refuses a malformed placement and an empty list of them", async () => {
    const refused = {
      status: 400,
      message: /header, header:NAME, body, body:FIELD, query or path/,
    };
    const { id } = await SecretStore.create({
      ...{ name: "refused", substituteIn: ["header:x-api-key"] },
      ...connection,
    });
    for (const substituteIn of [["cookie"], []]) {
      const options = { substituteIn, ...connection };
      await assert.rejects(SecretStore.setSecret(id, "KEY", "value", options), refused);
    }
    const create = SecretStore.create({ name: "bad", substituteIn: ["body."], ...connection });
    await assert.rejects(create, refused);
  });

  test("setSecret returns the response, with a warning for a value that can be guessed", async () => {
    const { id } = await SecretStore.create({ name: "warnings", ...connection });
    const strong = "jQ7vX2mT9wLr4KzB8nYd3HpC";
    assert.deepEqual(await SecretStore.setSecret(id, "KEY", strong, connection), {
      ...{ name: "KEY", status: "set" },
    });
    const { warning } = await SecretStore.setSecret(id, "KEY", "20260131", connection);
    assert.match(warning ?? "", /can be guessed/);
    assert.doesNotMatch(warning ?? "", /20260131/);
  });

  test("listSecrets has no values, and deleteSecret takes a secret away", async () => {
    const store = await SecretStore.create({ name: "values", ...connection });
    await SecretStore.setSecret(store.id, "KEY", "sk-canary-value", connection);
    const entries = await SecretStore.listSecrets(store.id, connection);
    assert.equal(entries[0]?.name, "KEY");
    assert.doesNotMatch(JSON.stringify(entries), /canary/);
    await SecretStore.deleteSecret(store.id, "KEY", connection);
    assert.deepEqual(await SecretStore.listSecrets(store.id, connection), []);
    await assert.rejects(SecretStore.deleteSecret(store.id, "KEY", connection), { status: 404 });
  });

  test("revokeSecret may be repeated, and is seen in the list until the secret is set again", async () => {
    const { id } = await SecretStore.create({ name: "leaked", ...connection });
    await SecretStore.setSecret(id, "KEY", "sk-canary-value", connection);
    for (const _time of [1, 2]) {
      const revoked = await SecretStore.revokeSecret(id, "KEY", connection);
      assert.deepEqual(revoked, { name: "KEY", status: "revoked" });
    }
    const revokedAt = async () => (await SecretStore.listSecrets(id, connection))[0]?.revokedAt;
    assert.ok((await revokedAt()) !== undefined);
    await SecretStore.setSecret(id, "KEY", "another", connection);
    assert.equal(await revokedAt(), undefined);
    await assert.rejects(SecretStore.revokeSecret(id, "ABSENT", connection), { status: 404 });
  });

  test("no error holds the value that failed to be set", async () => {
    const store = await SecretStore.create({ name: "leaks", ...connection });
    const value = "sk-canary-value";
    const seen = (error: unknown) => {
      for (let cause = error; cause instanceof Error; cause = cause.cause) {
        assert.doesNotMatch(`${cause.stack} ${JSON.stringify(cause)}`, /canary/);
      }
      return error instanceof Error;
    };
    await assert.rejects(SecretStore.setSecret(store.id, "PATH", value, connection), seen);
    await assert.rejects(SecretStore.setSecret("absent", "KEY", value, connection), seen);
    server.interceptNext((request) => request.socket.destroy());
    server.interceptNext((request) => request.socket.destroy());
    await assert.rejects(SecretStore.setSecret(store.id, "KEY", value, connection), seen);
  });
});

describe("Project", () => {
  test("create, get, list, update and delete; an update keeps what it does not name", async () => {
    const project = await Project.create({
      name: "my-agent",
      cpuCount: 2,
      memoryMB: 1024,
      timeoutSec: 600,
      egressAllowlist: ["api.anthropic.com"],
      ...connection,
    });
    assert.deepEqual(await Project.get(project.id, connection), project);
    assert.deepEqual(await Project.list(connection), [project]);
    const updated = await Project.update(project.id, { memoryMB: 2048, ...connection });
    assert.deepEqual(updated, { ...project, memoryMB: 2048 });
    await Project.delete(project.id, connection);
    await assert.rejects(Project.get(project.id, connection), { code: "not_found" });
  });

  test("setSecret takes placements, and returns the response", async () => {
    const { id } = await Project.create({ name: "with-placements", ...connection });
    const options = { substituteIn: ["header", "body:client_secret"], ...connection };
    const { name, status } = await Project.setSecret(id, "KEY", "value", options);
    assert.deepEqual([name, status], ["KEY", "set"]);
    const kept = server.secrets.projects.get(id)?.secrets.get("KEY");
    assert.deepEqual(kept?.substituteIn, options.substituteIn);
  });

  test("keeps secrets, and lists their names, or what is known of them", async () => {
    const { id } = await Project.create({ name: "with-secrets", ...connection });
    await Project.setSecret(id, "SECOND", "value-2", connection);
    await Project.setSecret(id, "FIRST", "value-1", connection);
    assert.deepEqual(await Project.listSecrets(id, connection), ["FIRST", "SECOND"]);
    const entries = await Project.listSecretEntries(id, connection);
    assert.deepEqual(
      entries.map(({ name, allowedHosts, substituteIn }) => ({ name, allowedHosts, substituteIn })),
      ["FIRST", "SECOND"].map((name) => ({
        name,
        allowedHosts: [],
        substituteIn: ["header", "body"],
      })),
    );
    assert.doesNotMatch(JSON.stringify(entries), /value-/);
    const revoked = await Project.revokeSecret(id, "FIRST", connection);
    assert.deepEqual(revoked, { name: "FIRST", status: "revoked" });
    await Project.deleteSecret(id, "FIRST", connection);
    assert.deepEqual(await Project.listSecrets(id, connection), ["SECOND"]);
  });
});
