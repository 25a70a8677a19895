import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { GivenNames, usualAliasOf } from "./given-names.ts";

describe("GivenNames", () => {
  test("an address has the names it was given for, the last one first, in its sandbox only", () => {
    const given = new GivenNames();
    given.record("one", "a.test", ["8.8.8.8", "8.8.4.4"]);
    given.record("one", "b.test", ["8.8.8.8"]);
    assert.deepEqual(given.namesAt("one", "8.8.8.8"), ["b.test", "a.test"]);
    assert.deepEqual(given.namesAt("one", "8.8.4.4"), ["a.test"]);
    assert.deepEqual(given.namesAt("two", "8.8.8.8"), []);
    assert.equal(given.lastNameOf("one"), "b.test");
    assert.equal(given.lastNameOf("two"), undefined);
  });

  test("what a sandbox makes it keep is bounded", () => {
    const given = new GivenNames();
    for (let index = 0; index < 2_000; index += 1) {
      given.record("one", `n${index}.test`, [`8.8.${index >> 8}.${index & 255}`, "9.9.9.9"]);
    }
    assert.deepEqual(given.namesAt("one", "8.8.0.0"), []);
    assert.equal(given.namesAt("one", "9.9.9.9").length, 8);
  });

  test("names have aliases of their own, the same ones in every sandbox", () => {
    const given = new GivenNames();
    const names = Array.from({ length: 300 }, (_, index) => `db${index}.test`);
    const aliases = names.map((name) => {
      const alias = given.aliasFor("one", name);
      given.record("one", name, [alias]);
      return alias;
    });
    assert.equal(new Set(aliases).size, names.length);
    assert.deepEqual(
      names.map((name) => given.aliasFor("one", name)),
      aliases,
    );
    for (const alias of aliases) {
      const third = Number(/^169\.254\.(\d+)\.\d+$/.exec(alias)?.[1]);
      assert.ok(third >= 1 && third <= 127, alias);
    }
    assert.equal(given.aliasFor("two", "db0.test"), usualAliasOf("db0.test"));
  });
});
