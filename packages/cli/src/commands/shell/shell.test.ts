import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import { after, before, describe, test } from "node:test";
import { type Oc, startOc } from "../../testing/start-oc.ts";

describe("oc shell", () => {
  let oc: Oc;
  let id: string;
  before(async () => {
    oc = await startOc();
    id = (await oc.done(["create", "--env", "GREETING=hello"])).trim();
  });
  after(() => oc.end());

  /** A terminal of the user that writes down when it is raw. */
  const openTerminal = () => {
    const modes: boolean[] = [];
    const setRawMode = (isRaw: boolean) => void modes.push(isRaw);
    return { modes, stdin: Object.assign(new PassThrough(), { isTTY: true, setRawMode }) };
  };
  const wayBack = () => `oc shell ${id} --attach ${oc.server.terminalIds().at(-1)}`;

  test("types input that is no terminal, then its end, and ends with the shell's exit code", async () => {
    const result = await oc.run(["shell", id], { input: "echo $GREETING $TERM; exit 6\n" });
    assert.deepEqual([result.exitCode, result.stderr], [6, ""]);
    assert.match(result.stdout, /hello xterm-256color\n/);
    const ended = await oc.run(["shell", id, "--shell", "sh"], { input: "false" });
    assert.equal(ended.exitCode, 1);
  });

  test("is in raw mode while it runs, sends resizes, and restores the terminal", async () => {
    const { modes, stdin } = openTerminal();
    const running = oc.run(["shell", id], {
      stdin,
      columns: 100,
      onStdout(text) {
        if (text === "hello\n") stdin.write("exit 3\r");
      },
    });
    stdin.write("echo $GREETING\r");
    assert.equal((await running).exitCode, 3);
    assert.deepEqual(modes, [true, false]);
    assert.ok(stdin.destroyed);
  });

  test("~. detaches, SIGTERM ends oc, a lost connection fails: each prints how to attach again", async () => {
    const loses: [string, number, (stdin: PassThrough, signals: EventEmitter) => void][] = [
      ["~.", 0, (stdin) => void stdin.write("~.")],
      ["SIGTERM", 143, (_stdin, signals) => void signals.emit("SIGTERM")],
      ["a lost connection", 1, () => oc.server.dropSockets()],
    ];
    for (const [what, exitCode, lose] of loses) {
      const { modes, stdin } = openTerminal();
      const signals = new EventEmitter();
      let isLost = false;
      const running = oc.run(["shell", id], {
        ...{ stdin, signals },
        onStdout(text) {
          if (isLost || !text.includes("hello\n")) return;
          isLost = true;
          lose(stdin, signals);
        },
      });
      stdin.write("echo $GREETING\r");
      const result = await running;
      assert.equal(result.exitCode, exitCode, what);
      assert.ok(result.stderr.includes(wayBack()), result.stderr);
      assert.deepEqual(modes, [true, false], what);
      assert.equal(signals.listenerCount("SIGTERM"), 0);
      const again = await oc.run(wayBack().split(" ").slice(1), { input: "exit 4\n" });
      assert.equal(again.exitCode, 4, what);
      assert.match(again.stdout, /hello\n/);
    }
  });

  test("refuses what cannot be opened", async () => {
    assert.equal((await oc.run(["shell", "sb-absent"])).exitCode, 3);
    const missing = await oc.run(["shell", id, "--shell", "no-such-shell"]);
    assert.deepEqual([missing.exitCode, /no-such-shell/.test(missing.stderr)], [3, true]);
    assert.equal((await oc.run(["shell", id, "--attach", "pty-0"])).exitCode, 3);
    const both = await oc.run(["shell", id, "--attach", "pty-0", "--shell", "sh"]);
    assert.equal(both.exitCode, 1);
  });
});
