import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Sandbox } from "../sandbox/sandbox.ts";
import { type ContractServer, startContractServer } from "../testing/start-contract-server.ts";
import type { Shell } from "./shell.ts";
import { ShellBusyError, ShellClosedError } from "./shell-errors.ts";

const decoder = new TextDecoder();

describe("exec.shell", () => {
  let server: ContractServer;
  let sandbox: Sandbox;
  let shell: Shell;
  before(async () => {
    server = await startContractServer();
    sandbox = await Sandbox.create({ apiKey: server.apiKey, apiUrl: server.url });
    shell = await sandbox.exec.shell({ cwd: "/usr", env: { ONE: "1" }, envs: { TWO: "2" } });
  });
  after(async () => {
    await shell.close();
    await server.close();
  });

  test("begins in its directory, with its variables and without noise", async () => {
    const result = await shell.run('echo "$PWD $ONE $TWO"');
    assert.deepEqual(result, { exitCode: 0, stdout: "/usr 1 2\n", stderr: "" });
  });

  test("keeps directory, variables, functions and options between commands", async () => {
    await shell.run("cd /tmp; export SHOWN=yes; hidden=no; greet() { echo hello $1; }; set -u");
    const result = await shell.run("pwd; printenv SHOWN; echo $hidden; greet you; echo $-");
    assert.match(result.stdout, /^\/tmp\nyes\nno\nhello you\n\w*u\w*\n$/);
    await shell.run("set +u; cd /usr");
  });

  test("keeps the streams apart, and output without a newline whole", async () => {
    const result = await shell.run(
      "printf out; printf err >&2; exit_code() { return 7; }; exit_code",
    );
    assert.deepEqual(result, { exitCode: 7, stdout: "out", stderr: "err" });
  });

  test("takes many lines, here documents, quotes and what looks like its own text", async () => {
    const script = `cat <<'END'
it's "quoted" \\ $HOME
END
for i in 1 2; do
  echo $i
done
echo "250>&1 \\001" '`;
    assert.equal((await shell.run(`${script}EOF'`)).stdout.split("\n")[3], "250>&1 \\001 EOF");
    assert.equal((await shell.run("cat <<X\nopen")).stdout, "open\n");
  });

  test("survives syntax errors", async () => {
    for (const wrong of ["if (", "echo 'open", "done", "fi; }", "echo `", "("]) {
      const result = await shell.run(wrong);
      assert.notEqual(result.exitCode, 0, wrong);
      assert.notEqual(result.stderr, "", wrong);
      assert.equal((await shell.run("echo fine")).stdout, "fine\n", wrong);
    }
  });

  test("gives commands an empty input", async () => {
    assert.deepEqual(await shell.run("cat; read -r line; echo $?"), {
      ...{ exitCode: 0, stdout: "1\n", stderr: "" },
    });
  });

  test("traces, redirections and prompts do not get in between", async () => {
    const traced = await shell.run("set -xv; echo traced");
    assert.deepEqual([traced.stdout, traced.exitCode], ["traced\n", 0]);
    assert.equal((await shell.run("set +xv; true")).exitCode, 0);
    await shell.run("PS1='prompt '; PS2='more '; PROMPT_COMMAND='echo prompting'");
    const quiet = await shell.run("echo one\necho two >&2");
    assert.deepEqual(quiet, { exitCode: 0, stdout: "one\n", stderr: "two\n" });
    await shell.run("unset PROMPT_COMMAND");
    assert.equal((await shell.run("exec >/dev/null 2>&1; echo gone")).stdout, "");
    assert.equal((await shell.run("echo back")).stdout, "back\n");
  });

  test("passes bytes on as they are, in pieces", async () => {
    const parts: Uint8Array[] = [];
    const printed =
      "printf 'a\\001b\\000\\377'; sleep 0.1; printf '\\001'; sleep 0.1; head -c 300000 /dev/zero";
    const result = await shell.run(printed, { onStdout: (data) => void parts.push(data) });
    const all = Buffer.concat(parts);
    assert.equal(all.length, 300_006);
    assert.deepEqual([...all.subarray(0, 6)], [97, 1, 98, 0, 255, 1]);
    assert.equal(result.stdout.length, 300_006);
  });

  test("drops what a job writes between commands, and gives later output to later commands", async () => {
    const started = await shell.run(
      "(sleep 0.15; echo between; sleep 0.5; echo later) & echo begun",
    );
    assert.deepEqual(started, { exitCode: 0, stdout: "begun\n", stderr: "" });
    await new Promise((resolve) => setTimeout(resolve, 350));
    const next = await shell.run("echo own; wait");
    assert.equal(next.stdout, "own\nlater\n");
  });

  test("refuses a second command meanwhile", async () => {
    const first = shell.run("sleep 0.3; echo first");
    await assert.rejects(shell.run("echo second"), (error) => {
      assert.ok(error instanceof ShellBusyError);
      assert.equal(error.code, "shell_busy");
      return true;
    });
    assert.equal((await first).stdout, "first\n");
    await assert.rejects(shell.run("nul \0"), { code: "invalid_request" });
  });

  test("interrupts a command at its time-out and stays usable", async () => {
    await shell.run("kept=kept");
    for (const endless of ["sleep 60; echo after", "while :; do :; done", "f() { sleep 60; }; f"]) {
      const result = await shell.run(endless, { timeout: 0.3 });
      assert.deepEqual(result, { exitCode: -1, stdout: "", stderr: "\nProcess timed out" });
      assert.equal((await shell.run("echo $kept")).stdout, "kept\n");
    }
  });

  test("an aborted signal interrupts the command, and the shell continues", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const running = shell.run("echo begun; sleep 60", {
      signal: controller.signal,
      onStdout: () => controller.abort(reason),
    });
    await assert.rejects(running, reason);
    await assert.rejects(shell.run("true", { signal: controller.signal }), reason);
    assert.equal((await shell.run("echo on")).stdout, "on\n");
  });

  test("an interrupt that comes at any moment ends the command and what it starts", async () => {
    for (let round = 0; round < 15; round += 1) {
      const controller = new AbortController();
      const running = shell.run("echo begun; sleep 60", {
        signal: controller.signal,
        onStdout: () => controller.abort(),
      });
      await assert.rejects(running, { name: "AbortError" });
      assert.equal((await shell.run(`echo ${round}`)).stdout, `${round}\n`);
    }
    const left = await shell.run("ps --no-headers -o args --ppid $$");
    assert.doesNotMatch(left.stdout, /sleep 60/);
  });

  test("what a callback throws is the run's, and the shell continues", async () => {
    const failure = new Error("no room");
    for (const onStdout of [() => Promise.reject(failure), () => assert.fail(failure)]) {
      await assert.rejects(shell.run("echo one; echo two", { onStdout }), failure);
      assert.equal((await shell.run("echo on")).stdout, "on\n");
    }
  });

  test("hands output on as it comes", async () => {
    const said: string[] = [];
    await shell.run("echo one; sleep 0.1; echo two >&2", {
      onStdout: (data) => void said.push(`out:${decoder.decode(data)}`),
      onStderr: (data) => void said.push(`err:${decoder.decode(data)}`),
    });
    assert.deepEqual(said, ["out:one\n", "err:two\n"]);
  });

  test("exit ends the shell with the command's result", async () => {
    for (const [cmd, exitCode] of [
      ["echo last; exit 3", 3],
      ["set -e; echo last; false", 1],
    ] as const) {
      const ending = await sandbox.exec.shell();
      const result = await ending.run(cmd);
      assert.deepEqual([result.exitCode, result.stdout, result.stderr], [exitCode, "last\n", ""]);
      assert.equal(ending.exitCode, exitCode);
      await assert.rejects(ending.run("true"), (error) => {
        assert.ok(error instanceof ShellClosedError);
        assert.match(error.message, new RegExp(`exit code ${exitCode}: open another`));
        return error.code === "shell_closed";
      });
      await ending.close();
    }
  });

  test("a command that ignores the interrupt is killed with the shell, and the result states it", async () => {
    const stubborn = await sandbox.exec.shell();
    const result = await stubborn.run("trap '' INT; sleep 60", { timeout: 0.1 });
    assert.equal(result.exitCode, -1);
    assert.match(result.stderr, /\nProcess timed out: .* the shell was killed$/);
    await assert.rejects(stubborn.run("true"), { code: "shell_closed" });
  });

  test("close ends it once, also while a command runs; a kill ends it too", async () => {
    const closed = await sandbox.exec.shell();
    const running = closed.run("echo x; sleep 60");
    await closed.close();
    await closed.close();
    assert.equal((await running).exitCode, 137);
    await assert.rejects(closed.run("true"), /was closed/);
    const killed = await sandbox.exec.shell();
    await sandbox.exec.kill(killed.sessionId);
    while (killed.exitCode === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
    await assert.rejects(killed.run("true"), /exit code 137/);
  });

  test("a lost connection leads back to the same shell", async () => {
    const lost = await sandbox.exec.shell();
    await lost.run("here=still");
    let running: Promise<unknown> | undefined;
    await new Promise<void>((resolve) => {
      const onStdout = () => resolve();
      running = lost.run("echo begun; sleep 0.2; before=done", { onStdout });
    });
    assert.ok(running !== undefined);
    server.dropSockets();
    await assert.rejects(running, { code: "connection_failed" });
    await assert.rejects(lost.run("true"), { code: "shell_closed", message: /reattachShell/ });
    const again = await sandbox.exec.reattachShell(lost.sessionId);
    assert.equal((await again.run("echo $here $before")).stdout, "still done\n");
    await again.close();
  });

  test("refuses a shell that is not bash, and one that does not exist", async () => {
    await assert.rejects(sandbox.exec.shell({ shell: "/bin/cat" }), {
      code: "invalid_request",
      message: /expected \/bin\/cat to be bash/,
    });
    await assert.rejects(sandbox.exec.shell({ shell: "/no/such" }), { code: "command_not_found" });
  });
});
