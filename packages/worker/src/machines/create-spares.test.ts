import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { originOf } from "../saved-state/saved-machine.ts";
import { createFakeMachines, createJournal } from "../testing/fake-machines.ts";
import { createFakeSaved } from "../testing/sandboxes-scenario.ts";
import { createSpares } from "./create-spares.ts";

/** Time passes only when `pass` says so. */
function scenario(t: TestContext, options: { isEnabled?: boolean } = {}) {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const journal = createJournal();
  const machines = createFakeMachines(journal);
  const saved = createFakeSaved(journal, "machine").put("saved");
  const spares = createSpares({
    machines,
    isEnabled: options.isEnabled ?? true,
    log: {
      warn: (_, message) => void journal.events.push(message),
      error: (_, message) => void journal.events.push(message),
    },
  });
  async function pass(milliseconds: number): Promise<void> {
    t.mock.timers.tick(milliseconds);
    for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
  }
  const count = (event: string) => journal.events.filter((each) => each === event).length;
  return { spares, origin: () => originOf(saved), pass, count, ...journal };
}

const made = "make fork";
const quietMilliseconds = 400;
const keptMilliseconds = 120_000;

describe("createSpares", () => {
  test("prepare: a machine is made when it is quiet, once, and taken as it stands", async (t) => {
    const { spares, origin, pass, count, events } = scenario(t);
    spares.prepare("saved", origin);
    spares.prepare("saved", origin);
    await pass(quietMilliseconds - 1);
    assert.deepEqual(events, []);
    await pass(1);
    assert.deepEqual([count(made), events.at(-1)], [1, "pause"]);
    assert.equal((await spares.takeLast("saved"))?.id, "machine-0");
    await pass(keptMilliseconds);
    assert.equal(await spares.takeLast("saved"), undefined);
    assert.equal(count(made), 1);
  });

  test("takeLast: one that is just being made is waited for; none is no error", async (t) => {
    const { spares, origin, pass, hold } = scenario(t);
    assert.equal(await spares.takeLast("saved"), undefined);
    const release = hold("freeze");
    spares.prepare("saved", origin);
    await pass(quietMilliseconds);
    const taken = spares.takeLast("saved");
    release();
    assert.equal((await taken)?.id, "machine-0");
  });

  test("take: the next one is made, and a new one when none stands ready", async (t) => {
    const { spares, origin, pass, count } = scenario(t);
    spares.prepare("saved", origin);
    await pass(quietMilliseconds);
    assert.equal((await spares.take("saved", origin)).id, "machine-0");
    assert.equal((await spares.take("saved", origin)).id, "machine-1");
    await pass(quietMilliseconds);
    assert.equal(count(made), 3);
  });

  test("take: what is gone fails, and nothing is made of it later", async (t) => {
    const { spares, pass, events } = scenario(t);
    await assert.rejects(
      spares.take("saved", () => undefined),
      /saved is gone/,
    );
    await pass(quietMilliseconds);
    assert.deepEqual(events, []);
  });

  test("what cannot be warmed is discarded, and not tried again", async (t) => {
    const { spares, origin, pass, count, events, fail } = scenario(t);
    fail("freeze");
    spares.prepare("saved", origin);
    for (let round = 0; round < 5; round += 1) await pass(10_000);
    assert.equal(count(made), 1);
    assert.deepEqual(events.slice(-2), [
      "discard machine-0",
      "A machine could not be made to stand ready",
    ]);
    assert.equal(await spares.takeLast("saved"), undefined);
  });

  test("one that nobody takes is discarded, and so is the oldest of more than four", async (t) => {
    const { spares, origin, pass, events, count } = scenario(t);
    for (const id of ["1", "2", "3", "4"]) {
      spares.prepare(id, origin);
      await pass(quietMilliseconds);
    }
    spares.prepare("5", origin);
    await pass(quietMilliseconds);
    assert.deepEqual(
      events.filter((event) => event.startsWith("discard")),
      ["discard machine-0"],
    );
    await pass(keptMilliseconds);
    assert.equal(events.filter((event) => event.startsWith("discard")).length, 5);
    assert.equal(count(made), 5);
  });

  test("drop: what stands ready of what is over is discarded", async (t) => {
    const { spares, origin, pass, events } = scenario(t);
    spares.prepare("saved", origin);
    await pass(quietMilliseconds);
    await spares.drop("saved");
    assert.equal(events.at(-1), "discard machine-0");
    assert.equal(await spares.takeLast("saved"), undefined);
  });

  test("not enabled: every machine is made when it is asked for, and none before", async (t) => {
    const { spares, origin, pass, count } = scenario(t, { isEnabled: false });
    spares.prepare("saved", origin);
    await pass(quietMilliseconds);
    assert.equal(count(made), 0);
    await spares.take("saved", origin);
    assert.equal(count(made), 1);
  });
});
