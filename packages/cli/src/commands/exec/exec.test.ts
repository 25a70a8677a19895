import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import { after, before, describe, test } from "node:test";
import { type Oc, startOc } from "../../testing/start-oc.ts";

describe("oc exec", () => {
  let oc: Oc;
  let id: string;
  before(async () => {
    oc = await startOc();
    id = (await oc.done(["create", "--env", "GREETING=hello world"])).trim();
  });
  after(() => oc.end());

  test("prints stdout and stderr apart and ends with the command's exit code", async () => {
    const result = await oc.run(["exec", id, "--", "echo out; echo err >&2; exit 9"]);
    assert.deepEqual(result, { exitCode: 9, stdout: "out\n", stderr: "err\n" });
  });

  test("takes several words as an argv in which variables are the sandbox's", async () => {
    assert.equal(
      await oc.done(["exec", id, "--", "echo", "$GREETING; `id`"]),
      "hello world; `id`\n",
    );
    assert.equal(await oc.done(["exec", id, "--", "printf", "%s|", "a b", "", "*"]), "a b||*|");
  });

  test("leaves what stands after -- to the command, flags and all", async () => {
    const words = ["--", "echo", "--json", "-h", "--", "--cwd"];
    assert.equal(await oc.done(["exec", id, ...words]), "--json -h -- --cwd\n");
    assert.equal(await oc.done(["sandbox", "exec", id, "--", "echo", "-n", "x"]), "x");
    assert.equal(await oc.done(["exec", id, "echo", "x"]), "x\n");
  });

  test("passes --cwd, --env and --timeout on", async () => {
    const flags = ["--cwd", "/usr", "--env", "A=1,2", "--env", "B=3=4", "--wait"];
    assert.equal(
      await oc.done(["exec", id, ...flags, "--", 'echo "$PWD $A $B"']),
      "/usr 1,2 3=4\n",
    );
    const killed = await oc.run(["exec", id, "--timeout", "0.1", "--", "sleep", "60"]);
    assert.equal(killed.exitCode, 124);
    assert.match(killed.stderr, /Process timed out\n$/);
  });

  test("--idempotency-key: the same command again has the result of the first", async () => {
    for (const flags of [["--detach"], ["--json"], []]) {
      const key = ["--idempotency-key", `key-${flags.join()}`];
      const send = () => oc.done(["exec", id, ...flags, ...key, "--", "date +%N"]);
      assert.equal(await send(), await send());
      const other = await oc.run(["exec", id, ...flags, ...key, "--", "true"]);
      assert.match(other.stderr, /key was used for another command/);
    }
  });

  test("a program that does not exist ends with 127, as in a shell", async () => {
    const result = await oc.run(["exec", id, "--", "no-such-program", "x"]);
    assert.equal(result.exitCode, 127);
    assert.match(result.stderr, /no-such-program/);
  });

  test("--json prints the result and keeps the exit code", async () => {
    const result = await oc.run(["exec", id, "--json", "--", "echo out; exit 2"]);
    assert.equal(result.exitCode, 2);
    assert.deepEqual(JSON.parse(result.stdout), { exitCode: 2, stdout: "out\n", stderr: "" });
  });

  test("prints output as it comes, and passes its input on", async () => {
    const stdin = new PassThrough();
    const stdout: string[] = [];
    const running = oc.run(["exec", id, "--", "while read -r line; do echo got $line; done"], {
      stdin,
      onStdout(text) {
        stdout.push(text);
        if (stdout.length === 1) stdin.end("two\n");
      },
    });
    stdin.write("one\n");
    assert.deepEqual((await running).exitCode, 0);
    assert.deepEqual(stdout, ["got one\n", "got two\n"]);
    assert.equal(
      (await oc.run(["exec", id, "--", "wc -c"], { input: "12345" })).stdout.trim(),
      "5",
    );
  });

  test("does not wait for an input that is open and idle, and has none of a terminal's", async () => {
    const stdin = new PassThrough();
    assert.equal((await oc.run(["exec", id, "--", "exit 4"], { stdin })).exitCode, 4);
    assert.ok(stdin.destroyed);
    const terminal = Object.assign(new PassThrough(), { isTTY: true });
    terminal.write("typed\n");
    const result = await oc.run(["exec", id, "--", "cat; echo end"], { stdin: terminal });
    assert.equal(result.stdout, "end\n");
  });

  test("passes an interrupt on, kills at the second, and leaves at the third", async () => {
    const script = (trap: string) => `trap '${trap}' INT; echo ready; while :; do sleep 0.01; done`;
    const interrupted = async (trap: string, count: number) => {
      const signals = new EventEmitter();
      const result = await oc.run(["exec", id, "--", script(trap)], {
        signals,
        onStdout() {
          for (let sent = 0; sent < count; sent += 1) signals.emit("SIGINT");
        },
      });
      assert.equal(signals.listenerCount("SIGINT"), 0);
      return result.exitCode;
    };
    assert.equal(await interrupted("exit 5", 1), 5);
    assert.equal(await interrupted("", 2), 137);
    assert.equal(await interrupted("", 3), 130);
  });

  test("--detach prints a session; list, attach and kill work on it", async () => {
    const detach = ["exec", id, "--detach", "--", "echo begun; read -r line; echo $line; exit 6"];
    const session = (await oc.done(detach)).trim();
    assert.match(session, /^exec-[0-9a-f]+$/);
    const listed = await oc.done(["exec", "list", id]);
    assert.match(listed, /^SESSION +STATUS +CLIENTS +AGE +COMMAND\n/);
    assert.match(listed, new RegExp(`${session} +running +0 +\\d+s +echo begun;`));
    const attached = await oc.run(["exec", "attach", id, session], { input: "input\n" });
    assert.deepEqual([attached.exitCode, attached.stdout], [6, "begun\ninput\n"]);
    const again = await oc.run(["exec", "attach", id, session, "--json"]);
    assert.deepEqual(JSON.parse(again.stdout), {
      ...{ exitCode: 6, stdout: "begun\ninput\n", stderr: "" },
    });
    const json = await oc.done(["exec", id, "--detach", "--json", "--", "sleep", "600"]);
    const { sessionID, running } = JSON.parse(json);
    assert.equal(running, true);
    assert.equal(await oc.done(["exec", "kill", id, sessionID]), `Killed ${sessionID}\n`);
    assert.equal((await oc.run(["exec", "attach", id, sessionID])).exitCode, 137);
    assert.equal((await oc.run(["exec", "kill", id, sessionID, "--signal", "0"])).exitCode, 1);
    assert.equal((await oc.run(["exec", "kill", id, "exec-0"])).exitCode, 3);
    assert.equal((await oc.run(["exec", "attach", id, "exec-0"])).exitCode, 3);
  });

  test("an interrupt of attach leaves the command running", async () => {
    const words = ["exec", id, "--detach", "--", "echo ready; sleep 600"];
    const session = (await oc.done(words)).trim();
    const signals = new EventEmitter();
    const attached = await oc.run(["exec", "attach", id, session], {
      signals,
      onStdout: () => void signals.emit("SIGINT"),
    });
    assert.deepEqual(attached, {
      ...{ exitCode: 0, stdout: "ready\n", stderr: "Detached; the command keeps running.\n" },
    });
    assert.match(await oc.done(["exec", "list", id]), new RegExp(`${session} +running`));
    await oc.done(["exec", "kill", id, session]);
  });

  test("a lost connection prints how to attach again", async () => {
    const result = await oc.run(["exec", id, "--", "echo ready; sleep 600"], {
      onStdout: () => oc.server.dropSockets(),
    });
    const session = oc.server.sessionIds().at(-1);
    assert.equal(result.exitCode, 1);
    assert.match(result.stderr, new RegExp(`oc exec attach ${id} ${session}`));
    await oc.done(["exec", "kill", id, String(session)]);
  });

  test("an absent sandbox exits with 3, and a missing command with 1", async () => {
    assert.equal((await oc.run(["exec", "sb-absent", "--", "true"])).exitCode, 3);
    assert.equal((await oc.run(["exec", id])).exitCode, 1);
  });
});
