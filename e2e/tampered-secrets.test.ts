import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { executeStatements, type Scenario, startScenario } from "@opencomputer/harness";
import { OpenComputerError, Sandbox } from "@opencomputer/sdk";

const host = "api.example.test";
const values = ["canary-tampered-1f60-first", "canary-tampered-1f60-second"] as const;
const patienceMilliseconds = 60_000;
/** How long a request is waited for that must not be sent. */
const refusedSeconds = 5;

/** One bit of the ciphertext, behind nonce and tag. */
const flipped = `encode(set_byte(decode(sealed, 'base64'), 30,
  get_byte(decode(sealed, 'base64'), 30) # 1), 'base64')`;

describe("sealed values that were changed in the database", () => {
  let scenario: Scenario;
  let store: { id: string; name: string };
  let sandbox: Sandbox;
  let other: Sandbox;
  let checkpointId: string;

  before(async () => {
    scenario = await startScenario({
      hosts: [host],
      environment: { OPENCOMPUTER_WARM_POOL_SIZE: "0" },
    });
    const create = (value: string) =>
      scenario.createStore({ egressAllowlist: [host], secrets: { KEY: value } });
    store = await create(values[0]);
    sandbox = await scenario.createSandbox({ secretStore: store.name });
    other = await scenario.createSandbox({ secretStore: (await create(values[1])).name });
    checkpointId = (await sandbox.createCheckpoint("base")).id;
    await fork().then((one) => one.kill());
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  const fork = () =>
    Sandbox.createFromCheckpoint(checkpointId, { ...scenario.connection, timeout: 0 });
  const query = (text: string) => executeStatements(scenario.installation, text);
  const use = (of: Sandbox, seconds = 20) =>
    of.exec.run(`curl -sS -m ${seconds} https://${host}/ -H "x-api-key: $KEY"`);
  const restartProxy = async () => {
    await scenario.installation.kill("egress-proxy");
    await scenario.installation.untilReady();
  };
  /** A table as it was, after `work` had it otherwise. */
  const withChanged = async (table: string, change: string, work: () => Promise<void>) => {
    await query(`create table kept as select * from ${table}`);
    try {
      await query(change);
      await work();
    } finally {
      await query(`begin; delete from ${table}; insert into ${table} select * from kept;
        drop table kept; commit`);
    }
  };
  const untilUsed = async (of: Sandbox, value: string) => {
    const deadline = Date.now() + patienceMilliseconds;
    const before = scenario.internet.requests.length;
    while ((await use(of)).exitCode !== 0) {
      assert.ok(Date.now() < deadline, "the sandbox has its session again");
      await delay(200);
    }
    assert.deepEqual(
      scenario.internet.requests.slice(before).map(({ headers }) => headers["x-api-key"]),
      [value],
    );
  };
  const complaints = async (of: Sandbox) => {
    const log = await readFile(
      join(scenario.installation.dataDirectory, "logs/control-plane.log"),
      "utf8",
    );
    return log.split(`Secret KEY of sandbox ${of.sandboxId} cannot be decrypted`).length - 1;
  };

  /** Nothing of a sandbox whose secrets do not open goes out, and the log has the reason. */
  const assertCutOff = async (of: Sandbox) => {
    const complaintsBefore = await complaints(of);
    await restartProxy();
    const before = scenario.internet.requests.length;
    const deadline = Date.now() + patienceMilliseconds;
    while ((await complaints(of)) === complaintsBefore) {
      assert.ok(Date.now() < deadline, "the log reports that a secret cannot be decrypted");
      await delay(200);
    }
    assert.notEqual((await use(of, refusedSeconds)).exitCode, 0);
    assert.equal(scenario.internet.requests.length, before);
  };

  test("a flipped bit: the sandbox loses its egress, another does not, and has it again when the bit is restored (full run)", async () => {
    const change = `update sandbox_secrets set sealed = ${flipped} where sandbox_id = '${sandbox.sandboxId}'`;
    await withChanged("sandbox_secrets", change, async () => {
      await assertCutOff(sandbox);
      await untilUsed(other, values[1]);
    });
    await restartProxy();
    await untilUsed(sandbox, values[0]);
  });

  test("two rows that are swapped: neither sandbox sends the other's value", async () => {
    const change = `update sandbox_secrets as mine set sealed = theirs.sealed, key_version = theirs.key_version
      from (select * from sandbox_secrets) as theirs where mine.sandbox_id <> theirs.sandbox_id`;
    await withChanged("sandbox_secrets", change, async () => {
      await assertCutOff(sandbox);
      const before = scenario.internet.requests.length;
      assert.notEqual((await use(other, refusedSeconds)).exitCode, 0);
      assert.equal(scenario.internet.requests.length, before);
    });
    await restartProxy();
    await untilUsed(sandbox, values[0]);
    await untilUsed(other, values[1]);
  });

  const refusals: [string, string, () => Promise<Sandbox>][] = [
    ["store_secrets", "a create", () => scenario.createSandbox({ secretStore: store.name })],
    ["checkpoint_secrets", "a fork", fork],
  ];
  for (const [table, name, make] of refusals) {
    test(`${table}: ${name} is refused, makes nothing, and works again with the row as it was`, async () => {
      const listed = async () => (await Sandbox.list(scenario.connection)).length;
      const before = await listed();
      await withChanged(table, `update ${table} set sealed = ${flipped}`, async () => {
        await assert.rejects(make(), (error) => {
          assert.ok(error instanceof OpenComputerError);
          assert.equal(error.status, 500);
          assert.match(error.message, /^Secret KEY of .* cannot be decrypted/);
          assert.ok(values.every((value) => !error.message.includes(value)));
          return true;
        });
        assert.equal(await listed(), before);
      });
      const made = await make();
      await untilUsed(made, values[0]);
      await made.kill();
    });
  }
});
