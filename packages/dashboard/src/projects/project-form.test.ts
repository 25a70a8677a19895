import assert from "node:assert/strict";
import { test } from "node:test";
import { projectCommand, projectFields, projectForm } from "./project-form.ts";

test("a project's form has numbers where they were chosen", () => {
  const form = { ...projectForm(), name: "web", memoryMB: "2048", allowlist: "a.test" };
  assert.deepEqual(projectFields(form), {
    ...{ name: "web", cpuCount: undefined, memoryMB: 2048, timeoutSec: undefined },
    egressAllowlist: ["a.test"],
  });
  assert.deepEqual(projectCommand(form), [
    ...["oc", "project", "create", "--name", "web", "--memory", "2048"],
    ...["--egress-allowlist", "a.test"],
  ]);
});

test("an update clears an allowlist that is empty", () => {
  const form = { ...projectForm(), name: "web" };
  assert.deepEqual(projectCommand(form, "id").slice(3), [
    ...["id", "--name", "web", "--clear-egress-allowlist"],
  ]);
  assert.deepEqual(projectFields(form).egressAllowlist, []);
});
