import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { serviceLimits } from "@opencomputer/protocol/wire";
import type { Machine } from "../machines/machine.ts";
import { createFakeMachines, createJournal } from "../testing/fake-machines.ts";
import { createUsageMeter } from "./create-usage-meter.ts";

/** Machines whose usage is set by the test; one that is not in `using` has ended. */
function scenario() {
  let now = Date.parse("2026-01-02T03:04:05.000Z");
  const using = new Map<string, number>();
  const warnings: string[] = [];
  const { fake } = createFakeMachines(createJournal());
  const meter = createUsageMeter({
    async readMachine({ id }) {
      const cpuMilliseconds = using.get(id);
      if (cpuMilliseconds === undefined) return undefined;
      if (cpuMilliseconds < 0) throw new Error("not readable");
      const time = new Date(now).toISOString();
      return {
        ...{ sandboxId: "sb-aaaaaaaaaaaaaaaaaaaa", machineId: id, startedAt: time, readAt: time },
        ...{ cpuMilliseconds, memoryBytes: 1, diskBytes: 2 },
        ...{ networkReceivedBytes: 3, networkSentBytes: 4 },
      };
    },
    log: { warn: (_, message) => void warnings.push(message) },
    now: () => now,
  });
  const read = async (...machines: Machine[]) =>
    (await meter.read(machines)).map(({ machineId, cpuMilliseconds, hasEnded }) => [
      machineId,
      cpuMilliseconds,
      hasEnded,
    ]);
  const pass = (seconds: number) => {
    now += seconds * 1000;
  };
  return { fake, meter, using, warnings, read, pass };
}

describe("createUsageMeter", () => {
  test("has running machines, and leaves out those that cannot be read", async () => {
    const { fake, using, warnings, read } = scenario();
    const [one, gone, unreadable] = [fake(), fake(), fake()];
    using.set(one.id, 10);
    using.set(unreadable.id, -1);
    assert.deepEqual(await read(one, gone, unreadable), [[one.id, 10, false]]);
    assert.deepEqual(warnings, ["The usage of a machine cannot be read"]);
  });

  test("keeps the last reading of a machine that has ended for a while", async () => {
    const { fake, meter, using, read, pass } = scenario();
    const machine = fake();
    using.set(machine.id, 10);
    await meter.readLast(machine);
    using.set(machine.id, 99);
    assert.deepEqual(await read(machine), [[machine.id, 10, true]], "also while it still ends");
    pass(serviceLimits.endedMachineSecondsMax);
    assert.deepEqual(await read(), [[machine.id, 10, true]]);
    pass(1);
    assert.deepEqual(await read(), []);
  });

  test("keeps no more of these than their limit, the latest", async () => {
    const { fake, meter, using, read } = scenario();
    const one = fake();
    const machines = Array.from({ length: serviceLimits.endedMachinesMax + 2 }, (_, index) => ({
      ...one,
      id: `machine-${index}`,
    }));
    for (const [index, machine] of machines.entries()) {
      using.set(machine.id, index);
      await meter.readLast(machine);
    }
    const kept = await read();
    assert.equal(kept.length, serviceLimits.endedMachinesMax);
    assert.equal(kept[0]?.[1], 2);
  });

  test("the last reading of one that cannot be read is left out", async () => {
    const { fake, meter, using, read } = scenario();
    const [gone, unreadable] = [fake(), fake()];
    using.set(unreadable.id, -1);
    await meter.readLast(gone);
    await meter.readLast(unreadable);
    assert.deepEqual(await read(), []);
  });
});
