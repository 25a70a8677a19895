import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Oc, startOc } from "../testing/start-oc.ts";

const url = "https://receiver.example.com/hook";

describe("oc webhook", () => {
  let oc: Oc;
  before(async () => {
    oc = await startOc();
  });
  after(() => oc.end());

  const create = async (...words: string[]): Promise<string> =>
    JSON.parse(await oc.done(["webhook", "create", "--url", url, "--json", ...words])).id;

  test("create prints the id and the secret, which list never does", async () => {
    const created = await oc.run(["webhook", "create", "--url", url]);
    assert.match(created.stdout, /^ID: +[0-9a-f-]{36}\nSecret: +whsec_[A-Za-z0-9+/]{43}=\n$/);
    assert.match(created.stderr, /shown only once/);
    const secret = /whsec_\S+/.exec(created.stdout)?.[0] ?? "";
    const table = await oc.done(["webhook", "list"]);
    assert.match(table, /^ID +URL +EVENTS +STATUS\n/);
    assert.match(table, new RegExp(`${url} +all +enabled`));
    for (const text of [table, await oc.done(["webhook", "list", "--json"])]) {
      assert.ok(!text.includes(secret));
    }
  });

  test("create takes a secret from stdin, and types", async () => {
    const given = `whsec_${Buffer.alloc(24, 1).toString("base64")}`;
    const words = ["webhook", "create", "--url", url, "--secret-file", "-", "--json"];
    const created = JSON.parse(await oc.done([...words, "--type", "sandbox.killed"], `${given}\n`));
    assert.deepEqual([created.secret, created.eventTypes], [given, ["sandbox.killed"]]);
    assert.equal((await oc.run([...words, "--type", "imagined"])).exitCode, 1);
    assert.equal((await oc.run(["webhook", "create", "--url", "ftp://x/"])).exitCode, 3);
  });

  test("update disables and enables, and refuses what contradicts itself", async () => {
    const id = await create();
    const update = (...words: string[]) => oc.run(["webhook", "update", id, ...words]);
    assert.equal((await update("--disable")).stdout, `Updated ${id} (disabled: requested)\n`);
    assert.equal((await update("--enable")).stdout, `Updated ${id} (enabled)\n`);
    await update("--type", "sandbox.woken");
    assert.deepEqual(oc.server.webhooks.get(id)?.record.eventTypes, ["sandbox.woken"]);
    await update("--all-types");
    assert.equal(oc.server.webhooks.get(id)?.record.eventTypes, null);
    assert.equal((await update("--enable", "--disable")).exitCode, 1);
    assert.equal((await update("--all-types", "--type", "sandbox.woken")).exitCode, 1);
  });

  test("deliveries are listed and sent again", async () => {
    const id = await create("--type", "sandbox.ready");
    await oc.done(["create"]);
    const table = await oc.done(["webhook", "deliveries", id]);
    assert.match(table, /^ID +EVENT +STATE +ATTEMPTS +RESPONSE +AGE\n/);
    assert.match(table, / sandbox\.ready +delivered +1 +204 +/);
    const [delivery] = oc.server.webhooks.get(id)?.deliveries ?? [];
    assert.match(
      await oc.done(["webhook", "resend", id, delivery?.id ?? ""]),
      /will be sent again as/,
    );
    assert.equal(oc.server.webhooks.get(id)?.deliveries.length, 2);
    assert.equal(await oc.done(["webhook", "deliveries", id, "--state", "failed"]), "");
    assert.equal(await oc.done(["webhook", "delete", id]), `Deleted ${id}\n`);
    assert.equal((await oc.run(["webhook", "deliveries", id])).exitCode, 3);
  });
});
