import assert from "node:assert/strict";
import { test } from "node:test";
import { emptySecretForm, secretLimits, secretValue, setSecretCommand } from "./secret-form.ts";

const form = { ...emptySecretForm, name: "API_KEY", value: "sk-canary-jQ7vX2mT9wLr4KzB" };

test("an empty field leaves the limits that a secret has", () => {
  assert.deepEqual(secretLimits(form), { allowedHosts: undefined, substituteIn: undefined });
  assert.deepEqual(setSecretCommand("id", form), [
    "oc",
    "secret",
    "set",
    "id",
    "API_KEY",
    "--from-stdin",
  ]);
});

test("no command line has a value", () => {
  const aws = {
    ...form,
    kind: "aws",
    accessKeyId: "AKIA-canary",
    secretAccessKey: "s-canary",
  } as const;
  for (const one of [form, { ...aws, sessionToken: "t-canary" }]) {
    assert.ok(!setSecretCommand("id", one).join(" ").includes("canary"));
  }
});

test("hosts and placements are taken line by line", () => {
  const limited = {
    ...form,
    allowedHosts: "a.example.com\n*.b.test\n",
    placements: "header\nquery",
  };
  assert.deepEqual(secretLimits(limited), {
    allowedHosts: ["a.example.com", "*.b.test"],
    substituteIn: ["header", "query"],
  });
  assert.deepEqual(setSecretCommand("id", limited).slice(6), [
    ...["--allowed-hosts", "a.example.com", "--allowed-hosts", "*.b.test", "--in", "header,query"],
  ]);
});

test("AWS credentials have a session token only where there is one", () => {
  const aws = { ...form, kind: "aws", accessKeyId: "id", secretAccessKey: "key" } as const;
  assert.deepEqual(secretValue(aws), { accessKeyId: "id", secretAccessKey: "key" });
  assert.deepEqual(secretValue({ ...aws, sessionToken: "t" }), {
    ...{ accessKeyId: "id", secretAccessKey: "key", sessionToken: "t" },
  });
  assert.equal(secretValue(form), form.value);
});
