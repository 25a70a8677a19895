import assert from "node:assert/strict";
import { test } from "node:test";
import { tagChanges, tagCommands } from "./tag-changes.ts";

const before = { env: "prod", team: "core", note: "" };

test("tagChanges: what differs, and nothing that is as it was", () => {
  assert.deepEqual(tagChanges(before, before), {});
  assert.deepEqual(tagChanges(before, { ...before, env: "test", added: "" }), {
    env: "test",
    added: "",
  });
  assert.deepEqual(tagChanges(before, { env: "prod" }), { team: null, note: null });
  assert.deepEqual(tagChanges({}, { constructor: "a" }), { constructor: "a" });
});

test("tagCommands: none, one or both", () => {
  const words = (after: Record<string, string>) => tagCommands("sb-1", tagChanges(before, after));
  const set = ["oc", "tag", "set", "sb-1", "env=test"];
  const removal = ["oc", "tag", "delete", "sb-1", "team"];
  assert.deepEqual(words(before), []);
  assert.deepEqual(words({ ...before, env: "test" }), [set]);
  assert.deepEqual(words({ env: "prod", note: "" }), [removal]);
  assert.deepEqual(words({ env: "test", note: "" }), [set, removal]);
});
