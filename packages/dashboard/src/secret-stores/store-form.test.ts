import assert from "node:assert/strict";
import { test } from "node:test";
import { createStoreCommand, storeFields, storeForm, updateStoreCommand } from "./store-form.ts";

const form = { name: "keys", allowlist: "a.example.com\n*.b.test", placements: "header\nquery" };

test("a store's form has its fields line by line", () => {
  assert.deepEqual(storeFields(form), {
    egressAllowlist: ["a.example.com", "*.b.test"],
    substituteIn: ["header", "query"],
  });
  const flags = ["--egress-allowlist", "a.example.com", "--egress-allowlist", "*.b.test"];
  assert.deepEqual(createStoreCommand(form).slice(3), [
    ...["--name", "keys", ...flags, "--substitute-in", "header,query"],
  ]);
});

test("an update clears what the form leaves empty, on the command line too", () => {
  const cleared = { ...storeForm(), name: "keys" };
  assert.deepEqual(storeFields(cleared), { egressAllowlist: [], substituteIn: [] });
  assert.deepEqual(updateStoreCommand("id", cleared).slice(3), [
    ...["id", "--name", "keys", "--clear-egress-allowlist", "--clear-substitute-in"],
  ]);
  assert.deepEqual(createStoreCommand(cleared).slice(3), ["--name", "keys"]);
});
