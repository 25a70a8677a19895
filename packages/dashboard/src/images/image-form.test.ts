import assert from "node:assert/strict";
import { test } from "node:test";
import { createSnapshotCommand, emptyImageForm, imageOf } from "./image-form.ts";

test("each field that has something becomes steps", () => {
  assert.deepEqual(imageOf(emptyImageForm).toJSON().steps, []);
  const form = {
    ...{ name: "tools", aptPackages: "git  jq\ncurl", pipPackages: "pandas", variables: "A=1" },
    ...{ workdir: "/app", commands: "npm install\n\nnpm test" },
  };
  assert.deepEqual(imageOf(form).toJSON().steps, [
    { type: "apt_install", args: { packages: ["git", "jq", "curl"] } },
    { type: "pip_install", args: { packages: ["pandas"] } },
    { type: "env", args: { vars: { A: "1" } } },
    { type: "workdir", args: { path: "/app" } },
    { type: "run", args: { commands: ["npm install"] } },
    { type: "run", args: { commands: ["npm test"] } },
  ]);
  assert.deepEqual(createSnapshotCommand(form).slice(3), [
    ...["--name", "tools", "--apt-install", "git", "--apt-install", "jq", "--apt-install", "curl"],
    ...["--pip-install", "pandas", "--env", "A=1", "--workdir", "/app"],
    ...["--run", "npm install", "--run", "npm test"],
  ]);
});

test("a line that is no variable is refused", () => {
  assert.throws(() => imageOf({ ...emptyImageForm, variables: "nonsense" }), /found "nonsense"/);
});
