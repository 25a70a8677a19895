import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Oc, startOc } from "../testing/start-oc.ts";

describe("oc tag", () => {
  let oc: Oc;
  let id: string;
  before(async () => {
    oc = await startOc();
    id = (await oc.done(["create"])).trim();
  });
  after(() => oc.end());

  test("set adds to the tags that a sandbox has, and delete removes the named ones", async () => {
    assert.equal(await oc.done(["tag", "set", id, "team=a=b", "env="]), "env:\nteam:  a=b\n");
    assert.equal(await oc.done(["tag", "set", id, "env=prod"]), "env:   prod\nteam:  a=b\n");
    assert.equal(await oc.done(["tag", "list", id]), "env:   prod\nteam:  a=b\n");
    assert.equal(await oc.done(["tag", "delete", id, "env"]), "team:  a=b\n");
    const json = JSON.parse(await oc.done(["tag", "list", id, "--json"]));
    assert.deepEqual(json.tags, { team: "a=b" });
    assert.equal(typeof json.tagsLastUpdatedAt, "string");
  });

  test("set and delete ask for their changes alone, so that changes at the same time stay", async () => {
    await oc.done(["tag", "set", id, "--replace", "team=a"]);
    await Promise.all([
      ...["x=1", "y=2", "z=3"].map((pair) => oc.done(["tag", "set", id, pair])),
      oc.done(["tag", "delete", id, "team"]),
    ]);
    assert.equal(await oc.done(["tag", "list", id]), "x:  1\ny:  2\nz:  3\n");
    await oc.done(["tag", "delete", id, "x", "y", "z"]);
  });

  test("set --replace removes what is not given, and without tags all", async () => {
    await oc.done(["tag", "set", id, "old=1"]);
    assert.equal(await oc.done(["tag", "set", id, "--replace", "new=2"]), "new:  2\n");
    const none = await oc.run(["tag", "set", id, "--replace"]);
    assert.deepEqual([none.stdout, none.stderr], ["", `${id} has no tags\n`]);
  });

  test("list without an id has the keys in use, with how many sandboxes and values", async () => {
    const other = (await oc.done(["create"])).trim();
    await oc.done(["tag", "set", id, "--replace", "team=a"]);
    await oc.done(["tag", "set", other, "team=b"]);
    assert.match(await oc.done(["tag", "list"]), /^KEY +SANDBOXES +VALUES\nteam +2 +2\n$/);
    const keys = JSON.parse(await oc.done(["tag", "list", "--json"]));
    assert.deepEqual(keys, [{ key: "team", sandboxCount: 2, valueCount: 2 }]);
  });

  test("what is no tag, a key that is not set and a foreign sandbox are refused, and change nothing", async () => {
    await oc.done(["tag", "set", id, "--replace", "team=a", "env=b"]);
    for (const [words, exitCode, text] of [
      [["set", id, "novalue"], 1, /Expected KEY=VALUE/],
      [["set", id], 1, /at least one tag/],
      [["set", id, "a b=c"], 3, /a b/],
      [["delete", id, "team", "absent"], 1, /Tag not found: absent. .* has the tags env, team/],
      [["set", "sb-none", "a=b"], 3, /sb-none/],
    ] as const) {
      const result = await oc.run(["tag", ...words]);
      assert.equal(result.exitCode, exitCode, words.join(" "));
      assert.match(result.stderr, text);
    }
    assert.equal(await oc.done(["tag", "list", id]), "env:   b\nteam:  a\n");
  });
});
