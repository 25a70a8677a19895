import assert from "node:assert/strict";
import { test } from "node:test";
import { createCommand, createOptions, emptyCreateForm } from "./create-options.ts";

const present = (options: object) =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));

test("an empty form leaves every choice to the project and the platform", () => {
  assert.deepEqual(present(createOptions(emptyCreateForm)), {});
  assert.deepEqual(createCommand(emptyCreateForm), ["oc", "create"]);
});

test("each field is an option, and a flag of oc", () => {
  const form = {
    ...emptyCreateForm,
    ...{ project: "p", secretStore: "s", snapshot: "i", cpuCount: "2", memoryMB: "2048" },
    ...{ diskMB: "30000", timeout: "0", staysAwakeForCpu: true, envs: "A=1\nB=x y" },
    ...{ metadata: "run=7", needsPreviewAuth: true },
  };
  assert.deepEqual(present(createOptions(form)), {
    ...{ project: "p", secretStore: "s", snapshot: "i", cpuCount: 2, memoryMB: 2048 },
    ...{ diskMB: 30_000, timeout: 0, idle: "cpu", envs: { A: "1", B: "x y" } },
    ...{ metadata: { run: "7" }, previewAuth: { token: "auto" } },
  });
  assert.deepEqual(createCommand(form).slice(2), [
    ...["--project", "p", "--secret-store", "s", "--snapshot", "i", "--cpu", "2"],
    ...["--memory", "2048", "--disk", "30000", "--timeout", "0", "--idle", "cpu"],
    ...["--env", "A=1", "--env", "B=x y", "--metadata", "run=7", "--preview-auth"],
  ]);
});

test("a line that is no entry is refused when it is sent, and not shown before", () => {
  const form = { ...emptyCreateForm, envs: "A=1\nB" };
  assert.throws(() => createOptions(form), /found "B"/);
  assert.deepEqual(createCommand(form), ["oc", "create", "--env", "A=1"]);
});
