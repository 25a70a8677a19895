import assert from "node:assert/strict";
import { Readable, Writable } from "node:stream";
import { after, before, describe, test } from "node:test";
import type { Command } from "commander";
import { commandLoaders } from "./commands/command-loaders.ts";
import { createProgram } from "./create-program.ts";
import { type Oc, startOc } from "./testing/start-oc.ts";

describe("runCli", () => {
  let oc: Oc;
  before(async () => {
    oc = await startOc();
  });
  after(() => oc.end());

  test("without a key prints how to set one, before any request", async () => {
    const environment = { OPENCOMPUTER_API_KEY: "" };
    const result = await oc.run(["ls", "--json"], { environment });
    assert.equal(result.exitCode, 1);
    const error = JSON.parse(result.stderr);
    assert.equal(error.code, "missing_api_key");
    assert.match(error.error, /oc config set api-key/);
    assert.deepEqual(oc.server.requests, []);
  });

  test("with a wrong key exits with 3", async () => {
    const environment = { OPENCOMPUTER_API_KEY: "osb_wrong" };
    const result = await oc.run(["ls"], { environment });
    assert.deepEqual(result, { exitCode: 3, stdout: "", stderr: "error: invalid API key\n" });
  });

  test("warns of a key on the command line, and does not echo it", async () => {
    const result = await oc.run(["ls", "--api-key", oc.server.apiKey, "--json"]);
    assert.deepEqual([result.exitCode, result.stdout], [0, "[]\n"]);
    assert.match(JSON.parse(result.stderr).warning, /--from-stdin/);
    assert.ok(!result.stderr.includes(oc.server.apiKey));
  });

  test("with a service that fails exits with 5", async () => {
    oc.server.interceptNext((_, response) =>
      response.writeHead(500).end('{"error":"it broke","code":"internal_error"}'),
    );
    const result = await oc.run(["ls", "--json"]);
    assert.equal(result.exitCode, 5);
    assert.deepEqual(JSON.parse(result.stderr), { error: "it broke", code: "internal_error" });
  });

  test("prints what helps in a line of its own, and in JSON as a field", async () => {
    const body = { error: "full", code: "limit_reached", remediation: "oc kill <id>" };
    const refuse = () =>
      oc.server.interceptNext((_, response) => response.writeHead(409).end(JSON.stringify(body)));
    refuse();
    assert.equal((await oc.run(["ls"])).stderr, "error: full\ntry: oc kill <id>\n");
    refuse();
    assert.deepEqual(JSON.parse((await oc.run(["ls", "--json"])).stderr), body);
  });

  test("without a service prints the URL and how to start one", async () => {
    const result = await oc.run(["ls", "--api-url", "http://127.0.0.1:1"]);
    assert.equal(result.exitCode, 1);
    assert.match(result.stderr, /http:\/\/127\.0\.0\.1:1\/api.*npm run serve/);
  });

  test("takes global flags before and after the command", async () => {
    for (const words of [
      ["--json", "ls"],
      ["sandbox", "--json", "list"],
      ["sandbox", "list", "--json"],
    ]) {
      assert.equal(await oc.done(words), "[]\n");
    }
  });

  test("an unknown command exits with 1, as JSON when asked for", async () => {
    const result = await oc.run(["creat", "--json"]);
    assert.equal(result.exitCode, 1);
    assert.equal(JSON.parse(result.stderr).code, "invalid_usage");
    assert.match((await oc.run(["creat"])).stderr, /Did you mean create/);
  });

  test("a group without a command shows its help on stderr and exits with 1", async () => {
    const result = await oc.run(["secret"]);
    assert.deepEqual([result.exitCode, result.stdout], [1, ""]);
    assert.match(result.stderr, /Usage: oc secret/);
  });

  test("prints its version", async () => {
    assert.equal(await oc.done(["--version"]), "1.2.3\n");
  });

  test("help marks required options alone", async () => {
    const help = await oc.done(["key", "create", "--help"]);
    assert.match(help, /--name <name>.*\(required\)/);
    assert.equal(help.match(/\(required\)/g)?.length, 1);
  });

  test("every command has a summary, and help with examples that are its own", async () => {
    const context = {
      environment: {},
      configPath: "/nonexistent",
      version: "1.2.3",
      stdin: Readable.from([]),
      stdout: new Writable(),
      stderr: new Writable(),
      signals: new Writable(),
    };
    const ignore = () => undefined;
    const outcome = { onExitCode: ignore, onUsageText: ignore };
    const paths: string[][] = [];
    const visit = (command: Command, path: string[]) => {
      paths.push(path);
      for (const child of command.commands) visit(child, [...path, child.name()]);
    };
    const program = await createProgram(context, outcome);
    visit(program, []);
    assert.deepEqual(
      program.commands.map((command) => [command.name(), ...command.aliases()]),
      commandLoaders.map(({ names }) => names),
    );
    assert.ok(paths.length > 25, `only ${paths.length} commands`);
    for (const path of paths) {
      const help = await oc.done([...path, "--help"]);
      assert.match(help, /\nExamples:\n {2}\$ \S/, path.join(" "));
      assert.match(help, /--json/, path.join(" "));
      // Only secrets are of objects of two kinds.
      if (path[0] !== "secret") assert.doesNotMatch(help, /^Usage: .*<id>/, path.join(" "));
    }
  });
});
