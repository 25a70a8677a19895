import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { originOf } from "../saved-machines/saved-manifest.ts";
import { createFakeMachines, createJournal } from "../testing/fake-machines.ts";
import { createFakeSaved } from "../testing/sandboxes-scenario.ts";
import { createWarmMachines } from "./create-warm-machines.ts";

/** Time passes only by `pass`. */
function scenario(t: TestContext, options: { isEnabled?: boolean } = {}) {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const journal = createJournal();
  const machines = createFakeMachines(journal);
  const saved = createFakeSaved(journal, "machine").put("saved");
  const warmMachines = createWarmMachines({
    machines,
    isEnabled: options.isEnabled ?? true,
    log: {
      warn: (_, message) => void journal.events.push(message),
      error: (_, message) => void journal.events.push(message),
    },
  });
  async function pass(milliseconds: number): Promise<void> {
    t.mock.timers.tick(milliseconds);
    for (let round = 0; round < 20; round += 1) await new Promise(setImmediate);
  }
  const count = (event: string) => journal.events.filter((each) => each === event).length;
  return { warmMachines, origin: () => originOf(saved), pass, count, ...journal };
}

const made = "make fork";
const quietMilliseconds = 400;
const keptMilliseconds = 120_000;

describe("createWarmMachines", () => {
  test("prepare: a machine is made when it is quiet, once, and taken as it is", async (t) => {
    const { warmMachines, origin, pass, count, events } = scenario(t);
    warmMachines.prepare("saved", origin);
    warmMachines.prepare("saved", origin);
    await pass(quietMilliseconds - 1);
    assert.deepEqual(events, []);
    await pass(1);
    assert.deepEqual([count(made), events.at(-1)], [1, "pause"]);
    assert.equal((await warmMachines.takeLast("saved"))?.id, "machine-0");
    await pass(keptMilliseconds);
    assert.equal(await warmMachines.takeLast("saved"), undefined);
    assert.equal(count(made), 1);
  });

  test("takeLast: one that is just being made is waited for; none is no error", async (t) => {
    const { warmMachines, origin, pass, hold } = scenario(t);
    assert.equal(await warmMachines.takeLast("saved"), undefined);
    const release = hold("freeze");
    warmMachines.prepare("saved", origin);
    await pass(quietMilliseconds);
    const taken = warmMachines.takeLast("saved");
    release();
    assert.equal((await taken)?.id, "machine-0");
  });

  test("take: the next one is made, and a new one when none is warm", async (t) => {
    const { warmMachines, origin, pass, count } = scenario(t);
    warmMachines.prepare("saved", origin);
    await pass(quietMilliseconds);
    assert.equal((await warmMachines.take("saved", origin)).id, "machine-0");
    assert.equal((await warmMachines.take("saved", origin)).id, "machine-1");
    await pass(quietMilliseconds);
    assert.equal(count(made), 3);
  });

  test("take: what was removed fails, and nothing is made from it later", async (t) => {
    const { warmMachines, pass, events } = scenario(t);
    await assert.rejects(
      warmMachines.take("saved", () => undefined),
      /was removed/,
    );
    await pass(quietMilliseconds);
    assert.deepEqual(events, []);
  });

  test("what cannot be warmed is discarded, and not tried again", async (t) => {
    const { warmMachines, origin, pass, count, events, fail } = scenario(t);
    fail("freeze");
    warmMachines.prepare("saved", origin);
    for (let round = 0; round < 5; round += 1) await pass(10_000);
    assert.equal(count(made), 1);
    assert.deepEqual(events.slice(-2), ["discard machine-0", "A warm machine could not be made"]);
    assert.equal(await warmMachines.takeLast("saved"), undefined);
  });

  test("one that is not taken is discarded, and so is the oldest of more than four", async (t) => {
    const { warmMachines, origin, pass, events, count } = scenario(t);
    for (const id of ["1", "2", "3", "4"]) {
      warmMachines.prepare(id, origin);
      await pass(quietMilliseconds);
    }
    warmMachines.prepare("5", origin);
    await pass(quietMilliseconds);
    assert.deepEqual(
      events.filter((event) => event.startsWith("discard")),
      ["discard machine-0"],
    );
    await pass(keptMilliseconds);
    assert.equal(events.filter((event) => event.startsWith("discard")).length, 5);
    assert.equal(count(made), 5);
  });

  test("drop: a warm machine of what was removed is discarded", async (t) => {
    const { warmMachines, origin, pass, events } = scenario(t);
    warmMachines.prepare("saved", origin);
    await pass(quietMilliseconds);
    await warmMachines.drop("saved");
    assert.equal(events.at(-1), "discard machine-0");
    assert.equal(await warmMachines.takeLast("saved"), undefined);
  });

  test("not enabled: every machine is made when it is asked for, and none before", async (t) => {
    const { warmMachines, origin, pass, count } = scenario(t, { isEnabled: false });
    warmMachines.prepare("saved", origin);
    await pass(quietMilliseconds);
    assert.equal(count(made), 0);
    await warmMachines.take("saved", origin);
    assert.equal(count(made), 1);
  });
});
