import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { createRecordingLogger } from "../testing/recording-logger.ts";
import { openKeyFiles } from "./key-files.ts";
import { keyIdOf } from "./key-ring.ts";
import { loadKeyRing } from "./load-key-ring.ts";

describe("loadKeyRing", () => {
  let dataDirectory: string;
  let recording: ReturnType<typeof createRecordingLogger>;
  const load = (configuredKey?: string, configuredPreviousKeys: string[] = []) =>
    loadKeyRing({
      configuredKey,
      configuredPreviousKeys,
      dataDirectory,
      logger: recording.logger,
    });
  beforeEach(async () => {
    dataDirectory = await mkdtemp(join(tmpdir(), "opencomputer-key-"));
    recording = createRecordingLogger();
  });
  afterEach(() => rm(dataDirectory, { recursive: true, force: true }));

  test("makes a key once, of mode 0600, warns, and finds it again", async () => {
    const first = (await load()).keyRing.newestKey();
    const path = join(dataDirectory, "encryption-key");
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.match(recording.lines(), /OPENSANDBOX_SECRET_ENCRYPTION_KEY/);
    assert.ok(!recording.lines().includes(first.toString("hex")));
    assert.deepEqual((await load()).keyRing.newestKey(), first);
    assert.equal((await readFile(path, "utf8")).trim(), first.toString("hex"));
  });

  test("takes the configured key, writes no file and does not warn", async () => {
    const { keyRing, isRotating } = await load("ab".repeat(32));
    assert.equal(keyRing.newestKey().toString("hex"), "ab".repeat(32));
    assert.equal(isRotating, false);
    assert.equal(recording.lines(), "");
    await assert.rejects(stat(join(dataDirectory, "encryption-key")), { code: "ENOENT" });
  });

  test("refuses a damaged key file, naming it and not its content", async () => {
    await writeFile(join(dataDirectory, "encryption-key"), "damaged-content\n");
    await assert.rejects(
      load(),
      (error: Error) =>
        error.message.includes(join(dataDirectory, "encryption-key")) &&
        !error.message.includes("damaged-content"),
    );
  });

  test("a replaced key of the directory stays until it is forgotten", async () => {
    const { keyRing: before } = await load();
    const files = openKeyFiles(dataDirectory);
    await files.replaceKey(before.newestKey().toString("hex"));
    assert.equal((await stat(files.previousPath)).mode & 0o777, 0o600);
    const { keyRing, isRotating, forgetPreviousKeys } = await load();
    assert.deepEqual([keyRing.versions[0], isRotating], [before.newestVersion, true]);
    assert.notEqual(keyRing.newestVersion, before.newestVersion);
    await forgetPreviousKeys();
    const { keyRing: after, isRotating: stillRotates } = await load();
    assert.deepEqual([after.versions, stillRotates], [[keyRing.newestVersion], false]);
  });

  test("a replacement that was interrupted between its two files loses no key", async () => {
    const { keyRing: before } = await load();
    const files = openKeyFiles(dataDirectory);
    await writeFile(files.previousPath, await readFile(files.path));
    const { keyRing, isRotating } = await load();
    assert.deepEqual([keyRing.versions, isRotating], [before.versions, false]);
  });

  test("configured previous keys come before the configured one, each once", async () => {
    const [one, two, three] = ["11", "22", "33"].map((byte) => byte.repeat(32));
    const { keyRing } = await load(three, [one ?? "", two ?? "", (three ?? "").toUpperCase()]);
    assert.deepEqual(
      keyRing.versions,
      [one, two, three].map((hex) => keyIdOf(Buffer.from(hex ?? "", "hex"))),
    );
    assert.ok(!JSON.stringify(keyRing.versions).includes("22222222"), "an id shows no key");
  });
});
