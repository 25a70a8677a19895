import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Scenario, startSharedScenario } from "@opencomputer/harness";
import { Sandbox } from "@opencomputer/sdk";
import { z } from "zod";
import { isFullRun } from "../setup/test/full-run.mjs";
import { buildGoProgram, goProgram } from "./randomness/go-program.ts";
import { imagePrograms } from "./randomness/programs.ts";

const programs = [...imagePrograms, goProgram].filter(
  ({ name }) => isFullRun || name !== "node-without-options",
);
const drawnSchema = z.record(z.string(), z.string());
type Drawn = Map<string, Record<string, string>>;

describe("random numbers of machines that are restored from the same memory", () => {
  let scenario: Scenario;
  let parent: Sandbox;
  let generations: string[];
  let drawn: Drawn[];

  const run = async (of: Sandbox, script: string) => {
    const result = await of.exec.run(script, { timeout: 300 });
    assert.equal(result.exitCode, 0, `${script}:\n${result.stdout}\n${result.stderr}`);
    return result.stdout.trim();
  };
  const generationOf = (of: Sandbox) => run(of, "cat /run/opencomputer/generation");

  async function draw(of: Sandbox): Promise<Drawn> {
    const all = programs.map(({ name }) => `/tmp/drawn-${name}`);
    await run(
      of,
      `touch /tmp/draw; for file in ${all.join(" ")}; do
      until [ -e $file ]; do sleep 0.1; done; done`,
    );
    return new Map(
      await Promise.all(
        programs.map(async ({ name }) => {
          const text = await run(of, `cat /tmp/drawn-${name}`);
          return [name, drawnSchema.parse(JSON.parse(text))] as const;
        }),
      ),
    );
  }

  before(async () => {
    scenario = await startSharedScenario();
    parent = await scenario.createSandbox();
    for (const { source } of imagePrograms) await parent.files.write(...source);
    await parent.files.write(goProgram.command, await buildGoProgram());
    await run(parent, `chmod +x ${goProgram.command}`);
    for (const { command } of programs) await run(parent, `setsid ${command} >/tmp/log 2>&1 &`);
    const ready = programs.map(({ name }) => `/tmp/ready-${name}`).join(" ");
    await run(parent, `for file in ${ready}; do until [ -e $file ]; do sleep 0.1; done; done`);
    const { id } = await parent.createCheckpoint("drawn", { wait: true });
    const fork = () => Sandbox.createFromCheckpoint(id, { ...scenario.connection, timeout: 0 });
    const machines = [await fork(), await fork(), parent];
    const before = await generationOf(parent);
    await parent.restoreCheckpoint(id);
    generations = [before, ...(await Promise.all(machines.map(generationOf)))];
    drawn = await Promise.all(machines.map(draw));
    for (const machine of machines.slice(0, 2)) await machine.kill();
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  const valuesOf = (program: string, name: string) =>
    drawn.map((of) => {
      const value = of.get(program)?.[name];
      assert.ok(value !== undefined, `${program} has not drawn ${name}`);
      return value;
    });

  for (const { name: program, renewed, kept } of programs) {
    for (const name of renewed) {
      test(`${program}: ${name} differs in two forks and in the restored parent`, () => {
        const values = valuesOf(program, name);
        assert.equal(new Set(values).size, values.length, values.join("\n"));
      });
    }
    for (const name of kept) {
      test(`${program}: ${name} is the same in all, as in the guide`, () => {
        assert.equal(new Set(valuesOf(program, name)).size, 1);
      });
    }
  }

  test("each has its own generation, which a wake keeps", async () => {
    assert.equal(new Set(generations).size, 4, generations.join("\n"));
    for (const generation of generations) assert.match(generation, /^[0-9a-f]{32}$/);
    const before = await generationOf(parent);
    await parent.hibernate();
    assert.equal(await generationOf(parent), before);
  });

  test("a session that restarts on a fork ends, and is started again as it was", async () => {
    const service = await parent.exec.startDetached(
      "echo $PLAIN $RANDOM$RANDOM >> /tmp/starts; while :; do date +%N >> /tmp/ticks.$$; sleep 1; done",
    );
    await run(parent, "until [ -s /tmp/starts ]; do sleep 0.1; done");
    const { id } = await parent.createCheckpoint("serving", { wait: true });
    const fork = await Sandbox.createFromCheckpoint(id, {
      ...{ ...scenario.connection, timeout: 0, envs: { PLAIN: "fork" } },
      restartSessions: [service.sessionID],
    });
    await run(fork, "until [ $(wc -l < /tmp/starts) = 2 ]; do sleep 0.1; done");
    assert.match(await run(fork, "tail -n 1 /tmp/starts"), /^fork \d+$/);
    assert.equal(await run(fork, "pgrep -c -f 'tick[s]'"), "1");
    const listed = await fork.exec.list();
    assert.deepEqual(
      listed.map(({ sessionID, running }) => [sessionID, running]),
      [[service.sessionID, true]],
    );
    await fork.kill();
    await assert.rejects(
      Sandbox.createFromCheckpoint(id, { ...scenario.connection, restartSessions: ["exec-none"] }),
      { code: "session_not_found" },
    );
    await parent.exec.kill(service.sessionID);
  });

  test("hooks run as root before a fork takes commands, with its generation, and report a failure", async () => {
    const directory = "/etc/opencomputer/on-fork.d";
    await run(
      parent,
      `sudo mkdir -p ${directory}
       printf '#!/bin/sh\\necho $(id -u) $OPENCOMPUTER_GENERATION $OPENCOMPUTER_SANDBOX_ID > /tmp/hook\\n' | sudo tee ${directory}/10-note
       printf '#!/bin/sh\\necho it lacks something; exit 3\\n' | sudo tee ${directory}/20-fails
       sudo chmod +x ${directory}/*`,
    );
    const { id } = await parent.createCheckpoint("hooked", { wait: true });
    const fork = await Sandbox.createFromCheckpoint(id, { ...scenario.connection, timeout: 0 });
    assert.equal(
      await run(fork, "cat /tmp/hook"),
      `0 ${await generationOf(fork)} ${fork.sandboxId}`,
    );
    const error = "Hook 20-fails ended with exit code 3: it lacks something";
    assert.equal(fork.info.hookError, error);
    assert.equal((await fork.getInfo()).hookError, error);
    assert.equal((await parent.exec.run("ls /tmp/hook")).exitCode, 2);
    await fork.kill();
  });

  test("two sandboxes of the image alone draw different numbers", async () => {
    const other = await scenario.createSandbox();
    const script =
      "node -p 'crypto.randomUUID() + Math.random()'; cat /run/opencomputer/generation";
    const [first, second] = [await run(parent, script), await run(other, script)];
    assert.equal(new Set([...first.split("\n"), ...second.split("\n")]).size, 4);
  });
});
