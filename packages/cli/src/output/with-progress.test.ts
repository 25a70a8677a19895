import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { before, describe, test } from "node:test";
import { loadOra, withProgress } from "./with-progress.ts";

function terminal(isTTY: boolean, columns = 80) {
  let text = "";
  const stream = new Writable({
    write(part, _encoding, done) {
      text += String(part);
      done();
    },
  });
  const stay = () => true;
  const cursor = { cursorTo: stay, moveCursor: stay, clearLine: stay };
  return { stderr: Object.assign(stream, { isTTY, columns, ...cursor }), written: () => text };
}

describe("withProgress", () => {
  // Loaded, it starts with the mocked timer, not some time after it.
  before(() => loadOra());
  for (const [name, isTTY, columns, shows] of [
    ["shows on a terminal what is waited for", true, 80, true],
    ["writes nothing into a file or a pipe", false, 80, false],
    ["writes nothing on a terminal without a width", true, 0, false],
  ] as const) {
    test(name, async (context) => {
      context.mock.timers.enable({ apis: ["setTimeout"] });
      const { stderr, written } = terminal(isTTY, columns);
      let finish: (value: number) => void = () => assert.fail("not started");
      const work = new Promise<number>((resolve) => {
        finish = resolve;
      });
      const waiting = withProgress(stderr, "Creating a sandbox", work);
      context.mock.timers.tick(1000);
      finish(7);
      assert.equal(await waiting, 7);
      assert.equal(written().includes("Creating a sandbox"), shows);
    });
  }

  test("shows nothing for work that is done at once", async () => {
    const { stderr, written } = terminal(true);
    assert.equal(await withProgress(stderr, "Quick", Promise.resolve(1)), 1);
    assert.equal(written(), "");
  });

  test("passes a failure on", async () => {
    const { stderr } = terminal(true);
    await assert.rejects(withProgress(stderr, "Failing", Promise.reject(new Error("no"))), /no/);
  });
});
