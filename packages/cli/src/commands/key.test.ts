import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Oc, startOc } from "../testing/start-oc.ts";

describe("oc key", () => {
  let oc: Oc;
  before(async () => {
    oc = await startOc();
  });
  after(() => oc.end());

  test("create prints the key alone, so that a script can take it", async () => {
    const created = await oc.run(["key", "create", "--name", "ci"]);
    assert.match(created.stdout, /^osb_[0-9a-f]{64}\n$/);
    assert.match(created.stderr, /shown only once/);
    assert.equal((await oc.run(["key", "create"])).exitCode, 1);
  });

  test("list shows beginnings, never a key, also as JSON", async () => {
    const key = (await oc.done(["key", "create", "--name", "listed"])).trim();
    const table = await oc.done(["key", "list"]);
    assert.match(table, /^ID +NAME +KEY +LAST USED +AGE\n/);
    assert.match(table, new RegExp(`listed +${key.slice(0, 12)}… +never`));
    for (const output of [table, await oc.done(["key", "list", "--json"])]) {
      assert.ok(!output.includes(key));
    }
  });

  test("revoke takes a key by its id; the last one exits with 4, an unknown one with 3", async () => {
    for (;;) {
      const [first, second] = JSON.parse(await oc.done(["key", "list", "--json"]));
      if (second === undefined) {
        assert.equal((await oc.run(["key", "revoke", first.id])).exitCode, 4);
        break;
      }
      assert.equal(await oc.done(["key", "revoke", second.id]), `Revoked ${second.id}\n`);
      assert.equal((await oc.run(["key", "revoke", second.id])).exitCode, 3);
    }
  });
});
