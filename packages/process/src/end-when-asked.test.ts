import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { test } from "node:test";
import { endWhenAsked } from "./end-when-asked.ts";

/** A process that ends as `close` does, and what it logs and exits with. */
function scenario(close: () => Promise<unknown>, closeMillisecondsMax?: number) {
  const exits: number[] = [];
  const lines: string[] = [];
  const process = Object.assign(new EventEmitter(), {
    exit(code: number) {
      exits.push(code);
      process.emit("exited");
    },
  });
  const note = (...given: unknown[]): void => {
    lines.push(
      given
        .map((part) => (typeof part === "string" ? part : Object.keys(part as object)))
        .join(" "),
    );
  };
  endWhenAsked({
    log: { info: note, error: note },
    close,
    ...(closeMillisecondsMax === undefined ? {} : { closeMillisecondsMax }),
    process,
  });
  return { process, exits, lines };
}

for (const signal of ["SIGTERM", "SIGINT", "disconnect"]) {
  test(`endWhenAsked closes once on ${signal}, whatever follows`, async () => {
    let closed = 0;
    const { process, exits, lines } = scenario(async () => {
      closed += 1;
    });
    const exited = once(process, "exited");
    process.emit(signal);
    process.emit("SIGTERM");
    process.emit("SIGINT");
    await exited;
    assert.deepEqual([closed, exits], [1, [0]]);
    assert.deepEqual(lines, ["reason the process ends"]);
  });
}

test("endWhenAsked fails when it cannot close, or not in time", async () => {
  const failing = scenario(() => Promise.reject(new Error("the database is gone")));
  const failed = once(failing.process, "exited");
  failing.process.emit("SIGTERM");
  await failed;
  assert.deepEqual(failing.exits, [1]);
  assert.deepEqual(failing.lines.slice(1), ["err the process did not end cleanly"]);

  // The timer alone does not keep a process running.
  const running = setInterval(() => undefined, 1000);
  const hanging = scenario(() => new Promise(() => undefined), 1);
  const late = once(hanging.process, "exited");
  hanging.process.emit("SIGTERM");
  await late;
  clearInterval(running);
  assert.deepEqual(hanging.exits, [1]);
  assert.deepEqual(hanging.lines.slice(1), ["the process did not end within 1 ms"]);
});
