import assert from "node:assert/strict";
import { fstatSync, openSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { readSecretSettings } from "./secret-settings.ts";

describe("readSecretSettings", () => {
  test("adds the secrets of the descriptor, and closes it", async (t) => {
    const directory = await mkdtemp(join(tmpdir(), "read-secret-settings-"));
    t.after(() => rm(directory, { recursive: true }));
    const path = join(directory, "secrets");
    await writeFile(path, '{"DATABASE_URL":"postgres://h/d"}');
    const descriptor = openSync(path, "r");
    const environment = { LANG: "C", OPENCOMPUTER_SECRETS_DESCRIPTOR: String(descriptor) };
    const settings = readSecretSettings(environment);
    assert.equal(settings["DATABASE_URL"], "postgres://h/d");
    assert.equal(settings["LANG"], "C");
    assert.throws(() => fstatSync(descriptor), { code: "EBADF" });
  });

  test("without a descriptor the environment is all there is", () => {
    const environment = { DATABASE_URL: "postgres://h/d" };
    assert.equal(readSecretSettings(environment), environment);
  });

  test("refuses a standard stream as descriptor", () => {
    assert.throws(() => readSecretSettings({ OPENCOMPUTER_SECRETS_DESCRIPTOR: "0" }));
  });
});
