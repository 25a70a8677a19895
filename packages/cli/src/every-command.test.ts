import assert from "node:assert/strict";
import { Readable, Writable } from "node:stream";
import { afterEach, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { createProgram } from "./create-program.ts";
import { type Oc, startOc } from "./testing/start-oc.ts";

/** The secret that `oc secret set` stores, and that no command may print. */
const canary = "sk-canary-jQ7vX2mT9wLr4KzB8nYd3HpC";

/** A file for `oc patch create`. */
const scriptFile = fileURLToPath(new URL("./main.ts", import.meta.url));

/** Ids of the objects that earlier command lines created. */
type Made = Record<
  | "store"
  | "project"
  | "sandbox"
  | "key"
  | "checkpoint"
  | "patch"
  | "session"
  | "webhook"
  | "delivery",
  string
>;

/** A command line of every command, in an order in which each finds what it needs. */
const commandLines: Readonly<Record<string, (made: Made) => string[]>> = {
  "oc config set": () => ["api-url", "http://127.0.0.1:8080"],
  "oc config show": () => [],
  "oc completion": () => ["bash"],
  "oc mcp": () => [],
  "oc secret-store create": () => ["--name", "store", "--egress-allowlist", "api.example.com"],
  "oc secret-store list": () => [],
  "oc secret-store get": ({ store }) => [store],
  "oc secret-store update": ({ store }) => [store, "--name", "renamed"],
  "oc project create": () => ["--name", "project"],
  "oc project list": () => [],
  "oc project get": ({ project }) => [project],
  "oc project update": ({ project }) => [project, "--memory", "2048"],
  "oc secret set": ({ project }) => [project, "KEY", "--from-stdin"],
  "oc secret list": ({ project }) => [project],
  "oc secret revoke": ({ project }) => [project, "KEY"],
  "oc secret delete": ({ project }) => [project, "KEY"],
  // Before the first sandbox, so that it gets events.
  "oc webhook create": () => ["--url", "https://receiver.example.com/"],
  "oc webhook list": () => [],
  "oc webhook update": ({ webhook }) => [webhook, "--enable"],
  "oc create": () => ["--project", "project", "--secret-store", "renamed"],
  "oc ls": () => [],
  "oc get": ({ sandbox }) => [sandbox],
  "oc exec": ({ sandbox }) => [sandbox, "--detach", "--", "echo done"],
  ...sessionLines("oc exec"),
  "oc shell": ({ sandbox }) => [sandbox, "--shell", "true"],
  "oc sandbox scale": ({ sandbox }) => [sandbox, "2048"],
  "oc sandbox autoscale": ({ sandbox }) => [sandbox, "--on", "--min", "512", "--max", "4096"],
  "oc sandbox lock": ({ sandbox }) => [sandbox],
  "oc sandbox lock-status": ({ sandbox }) => [sandbox],
  "oc sandbox unlock": ({ sandbox }) => [sandbox],
  "oc sandbox reboot": ({ sandbox }) => [sandbox],
  "oc sandbox power-cycle": ({ sandbox }) => [sandbox],
  "oc tag set": ({ sandbox }) => [sandbox, "team=search", "env=prod"],
  "oc tag list": ({ sandbox }) => [sandbox],
  "oc tag delete": ({ sandbox }) => [sandbox, "env"],
  "oc egress": ({ sandbox }) => [sandbox, "--refused"],
  "oc usage": ({ sandbox }) => [sandbox, "--since", "7d"],
  "oc explain": ({ sandbox }) => [sandbox, "https://api.example.com/"],
  "oc sandbox hibernate": ({ sandbox }) => [sandbox],
  "oc sandbox wake": ({ sandbox }) => [sandbox],
  "oc preview create": ({ sandbox }) => [sandbox, "--port", "3000"],
  "oc preview list": ({ sandbox }) => [sandbox],
  "oc preview rotate-auth": ({ sandbox }) => [sandbox],
  "oc preview open": ({ sandbox }) => [sandbox, "--port", "3000"],
  "oc preview delete": ({ sandbox }) => [sandbox, "3000"],
  "oc checkpoint create": ({ sandbox }) => [sandbox, "--name", "saved"],
  "oc checkpoint list": ({ sandbox }) => [sandbox],
  "oc checkpoint restore": ({ sandbox, checkpoint }) => [sandbox, checkpoint],
  "oc patch create": ({ checkpoint }) => [checkpoint, "--script", scriptFile],
  "oc patch list": ({ checkpoint }) => [checkpoint],
  "oc patch delete": ({ checkpoint, patch }) => [checkpoint, patch],
  "oc checkpoint spawn": ({ checkpoint }) => [checkpoint],
  "oc checkpoint delete": ({ sandbox, checkpoint }) => [sandbox, checkpoint],
  "oc snapshot create": () => ["--name", "snapshot", "--run", "true"],
  "oc snapshot list": () => [],
  "oc snapshot get": () => ["snapshot"],
  "oc snapshot delete": () => ["snapshot"],
  "oc kill": ({ sandbox }) => [sandbox],
  "oc sandbox create": () => [],
  "oc sandbox list": () => [],
  "oc sandbox get": ({ sandbox }) => [sandbox],
  "oc sandbox set-timeout": ({ sandbox }) => [sandbox, "600"],
  "oc sandbox allowed-hosts": ({ sandbox }) => [sandbox],
  "oc sandbox exec": ({ sandbox }) => [sandbox, "--detach", "--", "echo done"],
  ...sessionLines("oc sandbox exec"),
  "oc sandbox kill": ({ sandbox }) => [sandbox],
  "oc project delete": ({ project }) => [project],
  "oc secret-store delete": ({ store }) => [store],
  "oc events": () => ["--type", "sandbox.killed", "--limit", "3"],
  "oc webhook deliveries": ({ webhook }) => [webhook, "--limit", "3"],
  "oc webhook resend": ({ webhook, delivery }) => [webhook, delivery],
  "oc webhook delete": ({ webhook }) => [webhook],
  "oc key create": () => ["--name", "ci"],
  "oc key list": () => [],
  "oc key revoke": ({ key }) => [key],
};

/** What a command reads from stdin, which most do not read. */
const inputs: Readonly<Record<string, string>> = {
  "oc mcp": `${JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" })}\n`,
};

/** The commands that work on the session of the one before them. */
function sessionLines(place: string): typeof commandLines {
  return {
    [`${place} list`]: ({ sandbox }) => [sandbox],
    [`${place} attach`]: ({ sandbox, session }) => [sandbox, session],
    [`${place} kill`]: ({ sandbox, session }) => [sandbox, session, "--signal", "TERM"],
  };
}

function listCommands(command: Command, place: string): string[] {
  const below = command.commands.flatMap((child) =>
    listCommands(child, `${place} ${child.name()}`),
  );
  const isLeaf = below.length === 0 || command.registeredArguments.length > 0;
  return isLeaf ? [place, ...below] : below;
}

describe("every command", () => {
  let oc: Oc;
  let made: Made;
  const environment = { ...process.env };
  beforeEach(async () => {
    oc = await startOc();
    made = {
      ...{ store: "", project: "", sandbox: "", key: "", checkpoint: "", patch: "", session: "" },
      ...{ webhook: "", delivery: "" },
    };
    // ora reads these variables and would treat the stream as no terminal.
    delete process.env["CI"];
    process.env["TERM"] = "xterm";
  });
  afterEach(async () => {
    process.env = environment;
    await oc.end();
  });

  /** Records the newest objects of the server for later commands. */
  const remember = () => {
    const { secrets, sandboxes, checkpoints, webhooks } = oc.server;
    made.webhook = [...webhooks.keys()].at(-1) ?? "";
    made.delivery = webhooks.get(made.webhook)?.deliveries[0]?.id ?? "";
    made.checkpoint = [...checkpoints.keys()].at(-1) ?? "";
    made.patch = checkpoints.get(made.checkpoint)?.patches.at(-1)?.id ?? "";
    made.store = [...secrets.stores.keys()].at(-1) ?? "";
    made.project = [...secrets.projects.keys()].at(-1) ?? "";
    made.sandbox = [...sandboxes.keys()].at(-1) ?? "";
    made.session = oc.server.sessionIds().at(-1) ?? "";
  };
  const wordsOf = (place: string, line: (made: Made) => string[]) => [
    ...place.split(" ").slice(1),
    ...line(made),
  ];
  /** A terminal shows what is typed. */
  const showsInput = (place: string) => place === "oc shell";
  const insertFlag = (words: string[], flag: string) => {
    const end = words.indexOf("--");
    return end === -1 ? [...words, flag] : words.toSpliced(end, 0, flag);
  };

  test("has a command line here", async () => {
    const stream = new Writable();
    const stdin = Readable.from([]);
    const context = {
      stdin,
      stdout: stream,
      stderr: stream,
      signals: stream,
      configPath: "",
      version: "1",
    };
    const ignore = () => undefined;
    const outcome = { onExitCode: ignore, onUsageText: ignore };
    const program = await createProgram({ ...context, environment: {} }, outcome);
    assert.deepEqual(Object.keys(commandLines).toSorted(), listCommands(program, "oc").toSorted());
  });

  test("prints JSON alone with --json, on a terminal too, and no secret", async () => {
    for (const [place, line] of Object.entries(commandLines)) {
      const words = insertFlag(wordsOf(place, line), "--json");
      const result = await oc.run(words, { input: inputs[place] ?? canary, columns: 80 });
      assert.deepEqual([result.exitCode, result.stderr], [0, ""], place);
      assert.ok(showsInput(place) || !result.stdout.includes(canary), place);
      const value: unknown = JSON.parse(result.stdout);
      assert.ok(typeof value === "object" && value !== null, place);
      if (place === "oc key create" && "id" in value) made.key = String(value.id);
      remember();
    }
  });

  test("prints no line that is wider than the terminal", async () => {
    const hosts = ["api.anthropic.com", "*.openai.com", "a.very-long-name.example.com"];
    const flags = hosts.flatMap((host) => ["--egress-allowlist", host]);
    await oc.done(["secret-store", "create", "--name", "with-a-rather-long-name", ...flags]);
    const lines = async (columns?: number) => {
      const options = columns === undefined ? {} : { columns };
      return (await oc.run(["secret-store", "list"], options)).stdout.trimEnd().split("\n");
    };
    for (const line of await lines(80)) assert.ok(line.length <= 80, line);
    assert.ok((await lines()).some((line) => line.includes(hosts.join(", "))));
  });

  test("writes nothing of its progress where stderr is no terminal", async (context) => {
    context.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
    oc.server.watch(() => context.mock.timers.tick(1000));
    await oc.done(["create"]);
    remember();
    const listed = await oc.run(["ls"]);
    assert.equal(listed.stderr, "");
  });

  test("shows on a terminal what it waits for, whichever request is slow", async (context) => {
    context.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
    let shown = "";
    let silent: string[] = [];
    oc.server.watch((request) => {
      shown = "";
      context.mock.timers.tick(1000);
      if (shown === "") silent.push(request);
    });
    for (const [place, line] of Object.entries(commandLines)) {
      silent = [];
      const result = await oc.run(wordsOf(place, line), {
        input: inputs[place] ?? canary,
        columns: 80,
        onStderr: (text) => {
          shown += text;
        },
      });
      assert.equal(result.exitCode, 0, `${place}: ${result.stderr}`);
      assert.deepEqual(silent, [], place);
      const printed = result.stdout + result.stderr;
      assert.ok(showsInput(place) || !printed.includes(canary), place);
      if (place === "oc key create") made.key = /Key (\S+) is/.exec(result.stderr)?.[1] ?? "";
      remember();
    }
  });
});
