import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import {
  readMemory,
  resetPeakMemory,
  type Scenario,
  startSharedScenario,
} from "@opencomputer/harness";
import { OpenComputerError, type Sandbox, type Terminal } from "@opencomputer/sdk";
import { type OutsideTerminal, openOutsideTerminal } from "./outside-terminal.ts";

const megabyte = 1024 * 1024;
const size = { cols: 80, rows: 24 };
const pollMilliseconds = 100;
const patienceMilliseconds = 60_000;
/** Of what was shown before, so that looking for a text stays quick in a flood. */
const keptCharacters = 16 * 1024;
const pause = () => new Promise((resolve) => setTimeout(resolve, pollMilliseconds));

/** Fails with what was waited for, instead of never ending. */
async function within<Result>(work: Promise<Result>, describe: () => string): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error(`it did not come: ${describe()}`)),
      patienceMilliseconds,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A terminal, and what it has shown since it was last looked at. */
function watch(terminal: Terminal) {
  const chunks = terminal[Symbol.asyncIterator]();
  const decoder = new TextDecoder();
  let shown = "";
  return {
    terminal,
    /** Reads to the end of the shell, and returns its exit code. */
    async ended(): Promise<number> {
      while ((await within(chunks.next(), () => "the end of the shell")).done !== true);
      return await terminal.exited;
    },
    /** Reads until it has shown that, and returns all up to there. */
    async until(text: string): Promise<string> {
      for (;;) {
        const at = shown.indexOf(text);
        if (at !== -1) {
          const before = shown.slice(0, at + text.length);
          shown = shown.slice(before.length);
          return before;
        }
        const { done, value } = await within(
          chunks.next(),
          () => `${text} in ${JSON.stringify(shown)}`,
        );
        assert.ok(done !== true, `the terminal ended after ${JSON.stringify(shown)}`);
        shown = shown.slice(-keptCharacters) + decoder.decode(value, { stream: true });
      }
    },
  };
}

describe("terminals", () => {
  let scenario: Scenario;
  let sandbox: Sandbox;
  before(async () => {
    scenario = await startSharedScenario({ hosts: ["api.example.com"] });
    const store = await scenario.createStore({ secrets: { API_KEY: "jQ7vX2mT9wLr4KzB8nYd3HpC" } });
    sandbox = await scenario.createSandbox({
      secretStore: store.name,
      envs: { PATH: "/own:/bin" },
    });
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  test("a login shell of the user with sealed tokens, job control and Ctrl-C", async () => {
    const { terminal, until, ended } = watch(await sandbox.pty.create(size));
    await terminal.send('shopt -q login_shell && echo "[$USER $PWD $TERM $API_KEY $PATH]"; tty\r');
    const shown = await until("/dev/pts/");
    assert.match(
      shown,
      /\[sandbox \/home\/sandbox xterm-256color osb_sealed_[0-9a-f]{32} \/own:\/bin\]/,
    );
    await terminal.send("PATH=/usr/bin:/bin; sleep 1000; echo code $?\r");
    while ((await sandbox.exec.run("pgrep -x sleep")).exitCode !== 0) await pause();
    await terminal.send("\x1a");
    await until("Stopped");
    await terminal.send("jobs; fg\r");
    await until("sleep 1000\r\n");
    while ((await sandbox.exec.run("ps -C sleep -o stat=")).stdout.includes("T")) await pause();
    await terminal.send("\x03");
    await terminal.send("echo at$((40 + 2))\r");
    await until("at42");
    await terminal.send("exit 7\r");
    assert.equal(await ended(), 7);
  });

  test("programs see a resize, and full-screen ones draw for a client that attaches", async () => {
    const { terminal, until, ended } = watch(await sandbox.pty.create({ ...size, shell: "bash" }));
    await terminal.send("stty size; tput colors\r");
    await until("24 80");
    await until("256");
    await terminal.resize(132, 43);
    await terminal.send("stty size; seq 500 | less\r");
    await until("43 132");
    await until("42");
    await terminal.resize(132, 43);
    await until("\x1b[");
    await terminal.send("q");
    await terminal.kill();
    assert.equal(await ended(), 129);
    await assert.rejects(sandbox.pty.get(terminal.sessionId), { code: "session_not_found" });
  });

  test("bad input is refused, and leaves nothing", async () => {
    for (const wrong of [
      { cols: 0, rows: 24 },
      { cols: 10_000, rows: 24 },
    ]) {
      await assert.rejects(sandbox.pty.create(wrong), { status: 400, code: "invalid_request" });
    }
    for (const shell of ["no-such-shell", "/etc/passwd"]) {
      await assert.rejects(sandbox.pty.create({ ...size, shell }), { code: "command_not_found" });
    }
    await assert.rejects(sandbox.pty.attach("pty-0"), { code: "session_not_found" });
    const { terminal, until } = watch(await sandbox.pty.create({ ...size, shell: "cat" }));
    await terminal.send(Uint8Array.from({ length: 2000 }, (_, index) => 128 + (index % 128)));
    await terminal.send("\rstill here\r");
    await until("still here");
    await terminal.kill();
    const running = (await sandbox.pty.list()).filter((one) => one.running);
    assert.deepEqual(running, []);
  });

  /** Loses the connection in the middle, attaches again, and ends the shell as usual. */
  async function comeBackAfter(loss: () => Promise<void>): Promise<void> {
    const before = watch(await sandbox.pty.create(size));
    await before.terminal.send("kept=va''lue; echo be''fore\r");
    await before.until("before\r\n");
    const lost = assert.rejects(before.terminal.exited, { code: "connection_failed" });
    await loss();
    await lost;
    const again = watch(await reattach(before.terminal.sessionId));
    await again.until("before\r\n");
    await again.terminal.send("echo $kept; exit 9\r");
    await again.until("value\r\n");
    assert.equal(await again.ended(), 9);
  }
  async function reattach(sessionId: string): Promise<Terminal> {
    for (;;) {
      try {
        return await sandbox.pty.attach(sessionId);
      } catch (error) {
        assert.ok(error instanceof OpenComputerError && error.status !== 404, String(error));
        await pause();
      }
    }
  }

  test("a dropped client gets the last output and continues", async () => {
    const first = await sandbox.pty.create(size);
    await first.send("seq 100000; echo la''st\r");
    first.close();
    const again = watch(await sandbox.pty.attach(first.sessionId));
    await again.until("last\r\n");
    const replay = await sandbox.pty.attach(first.sessionId);
    let bytes = 0;
    await again.terminal.send("exit\r");
    for await (const data of replay) bytes += data.length;
    assert.ok(bytes > 10_000 && bytes < 300_000, `${bytes} bytes were replayed`);
    assert.equal(await replay.exited, 0);
  });

  for (const name of ["control-plane", "worker"] as const) {
    test(`a terminal outlives the ${name}`, () =>
      comeBackAfter(() => scenario.installation.kill(name)));
  }

  test("a terminal continues after a hibernation", () =>
    comeBackAfter(async () => void (await sandbox.hibernate())));

  test("yes into a stalled client costs no memory and stops; Ctrl-C ends it", async () => {
    const pids = [
      ...(await scenario.installation.pidsOf("control-plane")),
      ...(await scenario.installation.pidsOf("worker")),
    ];
    const before = await Promise.all(pids.map(readMemory));
    for (const pid of pids) await resetPeakMemory(pid);
    const agentBytes = async () =>
      Number(
        (await sandbox.exec.run("ps -C opencomputer-agent -o rss= | sort -n | tail -1")).stdout,
      );
    const agentBefore = await agentBytes();
    const stalled = watch(await sandbox.pty.create(size));
    // What the terminal passes on as it is goes quicker.
    await stalled.terminal.send("stty -opost; yes 'a line of some length'\r");
    await stalled.until("a line of");
    const ticks = async () =>
      (await sandbox.exec.run("cut -d ' ' -f 14,15 /proc/$(pgrep -x yes)/stat")).stdout;
    let last = "";
    for (let now = await ticks(); now !== last; now = await ticks()) {
      last = now;
      await pause();
      await pause();
    }
    for (const [index, pid] of pids.entries()) {
      const grown = (await readMemory(pid)).peak - (before[index]?.now ?? 0);
      assert.ok(
        grown < 48 * megabyte,
        `process ${pid} grew by ${Math.round(grown / megabyte)} MiB`,
      );
    }
    const grownKilobytes = (await agentBytes()) - agentBefore;
    assert.ok(grownKilobytes < 16 * 1024, `the agent grew by ${grownKilobytes} KiB`);
    await stalled.terminal.send("\x03echo do''ne\r");
    await stalled.until("done");
    await stalled.terminal.kill();
  });

  describe("oc shell", () => {
    const open = (words: string[]): OutsideTerminal =>
      openOutsideTerminal(scenario.connection, ["shell", ...words]);

    test("is the sandbox's shell, with its size and exit code, and restores the terminal", async () => {
      const outside = open([sandbox.id]);
      await outside.until("$ ");
      outside.type("stty size; echo ta''g $API_KEY\r");
      await outside.until("24 80");
      await outside.until("tag osb_sealed_");
      outside.resize();
      outside.type("until [ \"$(stty size)\" = '43 132' ]; do sleep 0.2; done; echo re''sized\r");
      await outside.until("resized");
      outside.type("sleep 1000\r");
      while ((await sandbox.exec.run("pgrep -x sleep")).exitCode !== 0) await pause();
      outside.type("\x03");
      await outside.until("^C");
      await outside.until("$ ");
      outside.type("exit 5\r");
      assert.deepEqual(await outside.ended, { exitCode: 5, isRestored: true });
    });

    test("SIGTERM and a lost connection restore the terminal and print how to attach again", async () => {
      const killed = open([sandbox.id, "--shell", "sh"]);
      await killed.until("$ ");
      killed.type("mark=kept; echo re''ady\r");
      await killed.until("ready");
      killed.terminate();
      const way = await killed.until("--attach pty-");
      assert.deepEqual(await killed.ended, { exitCode: 143, isRestored: true }, way);
      const running = (await sandbox.pty.list()).find((one) => one.running && one.shell === "sh");
      assert.ok(running !== undefined);
      const again = open([sandbox.id, "--attach", running.sessionID]);
      await again.until("ready");
      again.type("echo $mark\r");
      await again.until("kept");
      const [pid = 0] = await scenario.installation.pidsOf("control-plane");
      process.kill(pid, "SIGKILL");
      assert.deepEqual(await again.ended, { exitCode: 1, isRestored: true });
      const last = await reattach(running.sessionID);
      await last.kill();
    });
  });
});
