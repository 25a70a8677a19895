import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { sandboxSpec as spec } from "../../testing/fake-machines.ts";
import { sandboxesScenario } from "../../testing/sandboxes-scenario.ts";

const { sandboxId } = spec();
const deepLayers = Array.from({ length: 9 }, (_, index) => `layer-${index}`);
const checkpointIds = Array.from(
  { length: 3 },
  (_, index) => `0b1e5a3c-6d0c-4f5b-8f59-2c5c6f5a9d1${index}`,
);

/** A running sandbox whose disk has so many layers. */
async function running(layers: string[]) {
  const scenario = sandboxesScenario();
  const { sandboxes, machines, events } = scenario;
  const machine = machines.fake({ sandbox: spec(), phase: "started" });
  machine.record = { ...machine.record, disk: { ...machine.record.disk, layers } };
  await sandboxes.adopt([machine]);
  events.length = 0;
  const checkpoint = (index = 0) =>
    sandboxes.makeCheckpoint(checkpointIds[index] ?? "", { sandboxId, kind: "full" });
  return { ...scenario, machine, checkpoint };
}

describe("the disk of a running sandbox", () => {
  test("is flattened after a checkpoint that leaves it deep, and while it runs", async () => {
    const { machine, checkpoint, events, reached, sandboxes } = await running(deepLayers);
    await checkpoint();
    await reached("exchange layers");
    await sandboxes.whenIdle();
    assert.deepEqual(machine.record.disk.layers, ["newest", "flat"]);
    assert.ok(!events.includes("pause"));
  });

  test("stays as it is until it is deep", async () => {
    const { machine, checkpoint, events, reached, sandboxes } = await running(deepLayers.slice(1));
    await checkpoint(0);
    await sandboxes.whenIdle();
    assert.ok(!events.includes("flatten machine"));
    machine.record = { ...machine.record, disk: { ...machine.record.disk, layers: deepLayers } };
    await checkpoint(1);
    await reached("exchange layers");
  });

  test("is not exchanged when the sandbox hibernates or is removed meanwhile", async () => {
    for (const end of ["hibernate", "remove"] as const) {
      const { checkpoint, events, hold, reached, sandboxes } = await running(deepLayers);
      const release = hold("flatten machine");
      await checkpoint();
      await reached("flatten machine");
      await sandboxes[end](sandboxId);
      release();
      await sandboxes.whenIdle();
      await new Promise(setImmediate);
      assert.ok(!events.includes("exchange layers"), end);
      assert.ok(!events.includes("A running disk could not be flattened"), end);
    }
  });

  test("that cannot be flattened is reported; the next checkpoint tries again", async () => {
    const { machine, checkpoint, fail, reached } = await running(deepLayers);
    const mend = fail("flatten machine");
    await checkpoint(0);
    await reached("A running disk could not be flattened");
    assert.equal(machine.record.disk.layers.length, 9);
    mend();
    await checkpoint(1);
    await reached("exchange layers");
  });

  test("that is far too deep gets no further layer until it is flat", async () => {
    const { machine, checkpoint, events, hold, reached } = await running(deepLayers);
    const release = hold("flatten machine");
    await checkpoint(0);
    await reached("flatten machine");
    await checkpoint(1);
    assert.equal(events.filter((event) => event === "save checkpoint").length, 2);
    const layers = Array.from({ length: 24 }, (_, index) => `layer-${index}`);
    machine.record = { ...machine.record, disk: { ...machine.record.disk, layers } };
    const third = checkpoint(2);
    await new Promise(setImmediate);
    assert.equal(events.filter((event) => event === "save checkpoint").length, 2);
    release();
    await third;
    assert.ok(events.indexOf("exchange layers") < events.lastIndexOf("save checkpoint"));
  });
});
