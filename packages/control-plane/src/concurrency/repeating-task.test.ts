import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createRecordingLogger } from "../testing/recording-logger.ts";
import { shareRunning, startRepeatingTask } from "./repeating-task.ts";

describe("startRepeatingTask", () => {
  test("runs at once and again, also after a failure, which it logs", async () => {
    const { logger, lines } = createRecordingLogger();
    let runs = 0;
    let reachedThree = (): void => undefined;
    const three = new Promise<void>((resolve) => {
      reachedThree = resolve;
    });
    const task = startRepeatingTask({
      name: "sweep",
      intervalMilliseconds: 1,
      work: async () => {
        runs += 1;
        if (runs === 1) throw new Error("first run");
        if (runs === 3) reachedThree();
      },
      logger,
    });
    await three;
    await task.stop();
    const runsAtStop = runs;
    assert.match(lines(), /"task":"sweep".*first run/);
    await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(runs, runsAtStop, "none begins after stop");
  });

  test("stop waits for the run under way", async () => {
    let proceed = (): void => undefined;
    let ended = false;
    const task = startRepeatingTask({
      name: "slow",
      intervalMilliseconds: 1,
      work: async () => {
        await new Promise<void>((resolve) => {
          proceed = resolve;
        });
        ended = true;
      },
      logger: createRecordingLogger().logger,
    });
    const stopped = task.stop();
    proceed();
    await stopped;
    assert.ok(ended);
  });
});

test("shareRunning: calls during a run share it, the next call begins another, also after a failure", async () => {
  let runs = 0;
  const shared = shareRunning(async () => {
    runs += 1;
    await new Promise(setImmediate);
    if (runs === 1) throw new Error("first");
  });
  const [first, second] = [shared(), shared()];
  assert.equal(first, second);
  await assert.rejects(first, /first/);
  await shared();
  assert.equal(runs, 2);
});
