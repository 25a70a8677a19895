import assert from "node:assert/strict";
import { readdir, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { type Oc, startOc } from "../testing/start-oc.ts";

describe("oc config", () => {
  let oc: Oc;
  beforeEach(async () => {
    oc = await startOc();
  });
  afterEach(() => oc.end());
  const noEnvironment = { OPENCOMPUTER_API_KEY: "", OPENCOMPUTER_API_URL: "" };
  const shown = async (words: string[], environment: Record<string, string>) =>
    JSON.parse((await oc.run(["config", "show", "--json", ...words], { environment })).stdout);

  test("set keeps both settings in a file of mode 0600, and commands use them", async () => {
    await oc.done(["config", "set", "api-url", oc.server.url]);
    await oc.done(["config", "set", "api-key", "--from-stdin"], `${oc.server.apiKey}\n`);
    assert.equal((await stat(oc.configPath)).mode & 0o777, 0o600);
    assert.equal((await stat(dirname(oc.configPath))).mode & 0o777, 0o700);
    assert.deepEqual(await readdir(dirname(oc.configPath)), ["config.json"]);
    const listed = await oc.run(["ls", "--json"], { environment: noEnvironment });
    assert.deepEqual(listed, { exitCode: 0, stdout: "[]\n", stderr: "" });
  });

  test("a flag wins over the environment, which wins over the file", async () => {
    await oc.done(["config", "set", "api-url", "http://from-file"]);
    const url = async (words: string[], environment: Record<string, string>) =>
      (await shown(words, environment))["api-url"].value;
    const environment = { OPENCOMPUTER_API_URL: "http://from-environment" };
    assert.equal(await url(["--api-url", "http://from-flag"], environment), "http://from-flag");
    assert.equal(await url([], environment), "http://from-environment");
    assert.equal(await url([], noEnvironment), "http://from-file");
  });

  test("show never prints a whole key", async () => {
    const result = await oc.run(["config", "show"]);
    assert.doesNotMatch(result.stdout, new RegExp(oc.server.apiKey.slice(4, 60)));
    assert.match(result.stdout, /^api-key: {2}osb_….{4} {2}\(OPENCOMPUTER_API_KEY\)$/m);
    assert.match(
      (await oc.run(["config", "show"], { environment: noEnvironment })).stdout,
      /not set/,
    );
  });

  test("set warns of a key on the command line", async () => {
    const result = await oc.run(["config", "set", "api-key", oc.server.apiKey]);
    assert.match(result.stderr, /^warning: .*--from-stdin/);
    assert.doesNotMatch(result.stdout + result.stderr, new RegExp(oc.server.apiKey));
  });

  test("a malformed file and an unknown setting are named", async () => {
    await oc.done(["config", "set", "api-url", oc.server.url]);
    await writeFile(oc.configPath, '{"api-key": 1}');
    const result = await oc.run(["ls", "--json"]);
    assert.equal(result.exitCode, 1);
    assert.equal(JSON.parse(result.stderr).code, "config_malformed");
    assert.equal((await oc.run(["config", "set", "colour", "red"])).exitCode, 1);
  });
});
