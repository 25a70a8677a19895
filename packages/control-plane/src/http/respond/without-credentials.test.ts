import assert from "node:assert/strict";
import { test } from "node:test";
import { withoutCredentials } from "./without-credentials.ts";

test("withoutCredentials leaves no credential of a sandbox, and changes nothing else", () => {
  const webhooks = [{ id: "w", secret: "whsec_x" }];
  const sandbox = {
    webhooks,
    sandboxID: "sb-1",
    token: "t",
    previewAuthToken: "p",
    tags: { token: "kept" },
  };
  assert.deepEqual(withoutCredentials(sandbox), {
    ...{ sandboxID: "sb-1", token: "", tags: { token: "kept" } },
  });
  assert.equal(sandbox.token, "t");
  for (const body of [null, "text", 1, [], [{ token: "in a list" }], { stdout: "token" }]) {
    assert.deepEqual(withoutCredentials(body), body);
  }
});
