import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { format, inspect } from "node:util";
import { createRecordingLogger } from "../testing/recording-logger.ts";
import { createKeyRing } from "./key-ring.ts";
import { SecretValue } from "./secret-value.ts";

const canary = "sk-canary-5f1e";
const secret = new SecretValue(canary);

describe("SecretValue", () => {
  test("reveal gives the value", () => assert.equal(secret.reveal(), canary));

  test("equals compares values", () => {
    assert.ok(secret.equals(new SecretValue(canary)));
    for (const other of ["", "sk-canary-5f1f", `${canary}x`]) {
      assert.ok(!secret.equals(new SecretValue(other)), other);
    }
  });

  test("isGuessable is for short values and words, and not for keys", () => {
    const guessable = ["v", "12345678", "correct horse battery", "postgres://app:hunter2@db/x"];
    for (const value of guessable) assert.ok(new SecretValue(value).isGuessable, value);
    assert.ok(!new SecretValue("sk-9fK2mQx7Lw4RbT8vZc1N").isGuessable);
  });

  const printings: [string, () => string][] = [
    ["String()", () => String(secret)],
    ["a template", () => `${secret}`],
    ["JSON", () => JSON.stringify({ secret })],
    ["inspect", () => inspect({ secret }, { showHidden: true, depth: 9 })],
    ["format %s %o %j", () => format("%s %o %j", secret, secret, secret)],
    ["its own properties", () => JSON.stringify(Object.getOwnPropertyDescriptors(secret))],
    ["a copy", () => inspect({ ...secret })],
    ["an error", () => inspect(new Error("x", { cause: secret }))],
  ];
  for (const [how, print] of printings) {
    test(`is not printed by ${how}`, () => assert.ok(!print().includes(canary)));
  }

  test("is not printed by the log", () => {
    const { logger, lines } = createRecordingLogger();
    logger.info({ secret, nested: { secret } }, "%s", secret);
    assert.match(lines(), /\[secret\]/);
    assert.ok(!lines().includes(canary));
  });

  test("reveal is called in the vault, the hand-over to the proxy and webhooks, nowhere else", async () => {
    const root = fileURLToPath(new URL("..", import.meta.url));
    const files = (await readdir(root, { recursive: true })).filter(
      (file) => file.endsWith(".ts") && !file.endsWith(".test.ts") && !file.startsWith("testing/"),
    );
    const calling: string[] = [];
    for (const file of files) {
      if ((await readFile(join(root, file), "utf8")).includes(".reveal()")) calling.push(file);
    }
    assert.deepEqual(calling.toSorted(), [
      "egress-sessions/egress-secrets.ts",
      "egress-sessions/proxy-hand-over.ts",
      "vault/vault.ts",
      "webhooks/webhook-repository.ts",
      "webhooks/webhook-secret.ts",
    ]);
  });
});

describe("KeyRing", () => {
  test("is not printed by inspect or JSON", () => {
    const ring = createKeyRing([["v1", Buffer.alloc(32, "K")]]);
    assert.equal(inspect(ring), "[key ring]");
    assert.equal(JSON.stringify({ ring }), '{"ring":"[key ring]"}');
  });
});
