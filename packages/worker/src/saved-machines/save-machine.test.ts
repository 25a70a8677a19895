import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Layers } from "../disks/create-layers.ts";
import type { Machine } from "../machines/machine.ts";
import { createFakeMachines, createJournal, sandboxSpec } from "../testing/fake-machines.ts";
import { createFakeSaved, failsWith } from "../testing/sandboxes-scenario.ts";
import type { SavedMachines } from "./create-saved-machines.ts";
import { type SaveOptions, type SaveParts, saveMachine } from "./save-machine.ts";

const id = "sb-aaaaaaaaaaaaaaaaaaaa";
const started = {
  sandbox: sandboxSpec({ cpuCount: 2, memoryMB: 2048 }),
  phase: "started",
} as const;
const hibernation = {
  kind: "full",
  sandbox: started.sandbox,
  lostBecause: null,
} as const;
const checkpoint = { ...hibernation, sandbox: null };

function scenario() {
  const journal = createJournal();
  const machines = createFakeMachines(journal);
  const saved = createFakeSaved(journal, "machine");
  const notHere = () => Promise.reject(new Error("not here"));
  const layers: Layers = {
    directory: "/layers",
    pathOf: (layerId) => layerId,
    basePathOf: () => "golden",
    hold: notHere,
    makeEmpty: () => journal.note("make empty layer"),
    add: notHere,
    flatten: notHere,
    sync: async () => undefined,
    bytesOf: notHere,
    removeOrphans: notHere,
  };
  const parts: SaveParts = {
    machines,
    layers,
    fingerprintOf: ({ baseMemoryMB }) => `fingerprint-${baseMemoryMB}`,
    log: { warn: (_, message) => void journal.events.push(message) },
  };
  const save = (into: SavedMachines, savedId: string, machine: Machine, options: SaveOptions) =>
    saveMachine(parts, into, savedId, machine, options);
  return { save, saved, machines, ...journal };
}

describe("saveMachine", () => {
  test("a hibernation pauses, saves, and leaves the machine paused", async () => {
    const { save, saved, machines, events } = scenario();
    const made = await save(saved, id, machines.fake(started), hibernation);
    assert.deepEqual(events, ["save machine", "make empty layer", "sync", "pause", "save"]);
    const { machineFingerprint, cpuCount, memoryMB, sandbox } = made;
    assert.deepEqual(
      { machineFingerprint, cpuCount, memoryMB, sandbox },
      {
        machineFingerprint: "fingerprint-1024",
        cpuCount: 2,
        memoryMB: 2048,
        sandbox: started.sandbox,
      },
    );
  });

  test("a checkpoint with memory is saved while the guest runs, which continues in a new layer", async () => {
    const { save, saved, machines, events } = scenario();
    const made = await save(saved, id, machines.fake(started), checkpoint);
    assert.deepEqual(events, [
      ...["save machine", "make empty layer", "sync", "save", "add layer", "resume"],
    ]);
    assert.deepEqual(made.disk.layers, ["layer-0"]);
    assert.equal(made.pauseMilliseconds, 1);
  });

  test("a checkpoint of the disk pauses, and saves no memory", async () => {
    const { save, saved, machines, events } = scenario();
    await save(saved, id, machines.fake(started), { ...checkpoint, kind: "disk_only" });
    assert.deepEqual(events, [
      ...["save machine", "make empty layer", "sync", "pause", "add layer", "resume"],
    ]);
  });

  for (const [options, steps] of [
    [hibernation, ["make empty layer", "pause", "save"]],
    [checkpoint, ["make empty layer", "save", "add layer"]],
  ] as const) {
    for (const step of steps) {
      const what = options.sandbox === null ? "checkpoint" : "hibernation";
      test(`when ${step} of a ${what} fails, none exists and the machine runs`, async () => {
        const { save, saved, machines, events, fail } = scenario();
        fail(step);
        await assert.rejects(save(saved, id, machines.fake(started), options), /failed/);
        assert.equal(saved.get(id), undefined);
        assert.equal(events.at(-1), "resume");
      });
    }
  }

  test("a complete save that cannot be kept leaves the machine running", async () => {
    const { save, saved, machines, events } = scenario();
    const { make } = saved;
    saved.make = async (name, fill) => {
      await make(name, fill);
      throw new Error("no space for the manifest");
    };
    await assert.rejects(save(saved, id, machines.fake(started), hibernation), /the manifest/);
    assert.deepEqual(events.slice(-2), ["save", "resume"]);
  });

  test("a guest that does not respond is saved without its pending writes", async () => {
    const { save, saved, machines, events, fail } = scenario();
    fail("sync");
    assert.ok(await save(saved, id, machines.fake(started), hibernation));
    assert.ok(events.includes("A guest did not write its pending data to the disk"));
  });

  test("of a machine that has ended the disk is all that can be saved", async () => {
    const { save, saved, machines, events } = scenario();
    const over = machines.fake(started, { isOver: true });
    await assert.rejects(save(saved, id, over, hibernation), failsWith("sandbox_not_running"));
    await assert.rejects(
      save(saved, id, over, { ...checkpoint, kind: "disk_only" }),
      failsWith("sandbox_not_running"),
    );
    events.length = 0;
    const lost = { ...hibernation, kind: "disk_only", lostBecause: "it ended" } as const;
    const made = await save(saved, id, over, lost);
    assert.deepEqual([made.kind, made.lostBecause], ["disk_only", "it ended"]);
    assert.deepEqual(events, ["save machine"]);
  });
});
