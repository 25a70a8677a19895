import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { delay, startDeadline } from "./deadline.ts";

describe("startDeadline", () => {
  test("aborts after its time and reports it", (context) => {
    context.mock.timers.enable({ apis: ["setTimeout"] });
    const deadline = startDeadline(300, undefined);
    context.mock.timers.tick(299_999);
    assert.deepEqual([deadline.signal.aborted, deadline.hasPassed()], [false, false]);
    context.mock.timers.tick(1);
    assert.deepEqual([deadline.signal.aborted, deadline.hasPassed()], [true, true]);
  });

  test("does not abort once released, nor when it has no time", (context) => {
    context.mock.timers.enable({ apis: ["setTimeout"] });
    const released = startDeadline(1, undefined);
    released.release();
    const endless = startDeadline(null, undefined);
    context.mock.timers.tick(1_000_000);
    assert.deepEqual([released.hasPassed(), endless.hasPassed()], [false, false]);
  });

  test("aborts with the caller's signal, without having passed", () => {
    const caller = new AbortController();
    const deadline = startDeadline(null, caller.signal);
    caller.abort("reason");
    assert.deepEqual([deadline.signal.reason, deadline.hasPassed()], ["reason", false]);
  });
});

describe("delay", () => {
  test("ends at once when aborted, before or meanwhile", async () => {
    await assert.rejects(delay(1_000_000, AbortSignal.abort(new Error("before"))), /before/);
    const controller = new AbortController();
    const waiting = delay(1_000_000, controller.signal);
    controller.abort(new Error("meanwhile"));
    await assert.rejects(waiting, /meanwhile/);
  });
});
