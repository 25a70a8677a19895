import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { initialScaling } from "@opencomputer/protocol/wire";
import { sandboxSpec as spec } from "../testing/fake-machines.ts";
import { failsWith, runningScenario, sandboxesScenario } from "../testing/sandboxes-scenario.ts";

const { sandboxId } = spec();
const policy = { egressMode: "open", envs: { B: "2" } } as const;
const checkpointId = "0b1e5a3c-6d0c-4f5b-8f59-2c5c6f5a9d10";
const scenario = sandboxesScenario;

describe("createSandboxes", () => {
  test("the guest does not run before its rules, limits and record are in place", async () => {
    const { sandboxes, events } = scenario();
    const { machineId, ...prepared } = await sandboxes.prepare(spec());
    assert.match(machineId ?? "", /^[0-9a-f-]{36}$/);
    assert.deepEqual(prepared, {
      sandboxId,
      state: "prepared",
      sourceAddress: "198.18.4.6",
      memory: "kept",
      lostBecause: null,
      size: { memoryMB: 1024, scaling: initialScaling(1024) },
    });
    assert.deepEqual([...events].sort(), ["limit", "mode allowlisted", "record prepared"]);
    events.length = 0;
    assert.equal((await sandboxes.start(sandboxId)).state, "running");
    assert.deepEqual(events, [
      "record released",
      "resume",
      `configure ${sandboxId}`,
      "record started",
    ]);
  });

  test("sizes are plugged before the guest runs, and its configuration waits for the CPUs", async () => {
    const { sandboxes, events } = scenario({ cpusOnline: [1, 1, 2] });
    await sandboxes.prepare(spec({ cpuCount: 2, memoryMB: 2048, diskMB: 16384 }));
    events.length = 0;
    await sandboxes.start(sandboxId);
    assert.deepEqual(events, [
      "record released",
      "plug 2 CPUs",
      "plug 2048 MB",
      "grow disk to 16384 MB",
      "resume",
      ...Array.from({ length: 3 }, () => `configure ${sandboxId}`),
      "run resize2fs",
      "record started",
    ]);
  });

  test("a repeated request returns the same, at the same time too", async () => {
    const { sandboxes, events } = scenario();
    const responses = await Promise.all([sandboxes.prepare(spec()), sandboxes.prepare(spec())]);
    assert.deepEqual(responses[0], responses[1]);
    assert.deepEqual(await sandboxes.prepare(spec()), responses[0]);
    await Promise.all([sandboxes.start(sandboxId), sandboxes.start(sandboxId)]);
    await sandboxes.start(sandboxId);
    assert.equal(events.filter((event) => event === "resume").length, 1);
    await assert.rejects(sandboxes.prepare(spec({ memoryMB: 2048 })), failsWith("name_in_use"));
  });

  for (const failOn of ["mode allowlisted", "record prepared", "limit"]) {
    test(`when ${failOn} fails, the machine is discarded and the id is free`, async () => {
      const { sandboxes, events, fail } = scenario();
      fail(failOn);
      await assert.rejects(sandboxes.prepare(spec()), /failed/);
      assert.equal(events.at(-1), "discard machine-0");
      assert.throws(() => sandboxes.get(sandboxId), failsWith("sandbox_not_found"));
    });
  }

  test("a size that the host cannot give takes no machine", async () => {
    const { sandboxes, events } = scenario();
    await assert.rejects(
      sandboxes.prepare(spec({ memoryMB: 16384 })),
      failsWith("unsupported_option"),
    );
    assert.deepEqual(events, []);
  });

  test("a start that fails leaves the sandbox prepared, and can be tried again", async () => {
    const { sandboxes, fail } = scenario();
    const mend = fail(`configure ${sandboxId}`);
    await sandboxes.prepare(spec());
    await assert.rejects(sandboxes.start(sandboxId), /configure/);
    assert.equal(sandboxes.get(sandboxId).state, "prepared");
    mend();
    assert.equal((await sandboxes.start(sandboxId)).state, "running");
  });

  test("only a running sandbox has an agent", async () => {
    const { sandboxes, machines } = scenario();
    assert.throws(() => sandboxes.agentOf(sandboxId), failsWith("sandbox_not_found"));
    await sandboxes.prepare(spec());
    assert.throws(() => sandboxes.agentOf(sandboxId), failsWith("sandbox_not_running"));
    await sandboxes.start(sandboxId);
    assert.ok(sandboxes.agentOf(sandboxId));
    machines.end("machine-0");
    assert.throws(() => sandboxes.agentOf(sandboxId), failsWith("sandbox_not_running"));
    await sandboxes.whenIdle();
    assert.equal(sandboxes.get(sandboxId).state, "hibernated");
    assert.throws(() => sandboxes.agentOf(sandboxId), failsWith("sandbox_not_running"));
    await assert.rejects(sandboxes.start(sandboxId), failsWith("sandbox_not_running"));
    await sandboxes.remove(sandboxId);
    assert.throws(() => sandboxes.get(sandboxId), failsWith("sandbox_not_found"));
  });
});

describe("createSandboxes: usage", () => {
  test("every machine that has run is read once more before it ends", async () => {
    const { sandboxes, lastReadings, checkpoints } = await runningScenario();
    const machines = () => sandboxes.runningMachines().map(({ id }) => id);
    assert.deepEqual(machines(), ["machine-0"]);
    await sandboxes.hibernate(sandboxId);
    assert.deepEqual([machines(), lastReadings], [[], ["machine-0"]]);
    await sandboxes.wake(sandboxId, policy);
    assert.deepEqual(machines(), [], "one that is prepared has not run");
    await sandboxes.start(sandboxId);
    checkpoints.put(checkpointId);
    await sandboxes.restore(sandboxId, { checkpointId, ...policy });
    await sandboxes.start(sandboxId);
    await sandboxes.reboot(sandboxId, { orderly: false });
    await sandboxes.start(sandboxId);
    await sandboxes.remove(sandboxId);
    assert.deepEqual(lastReadings, ["machine-0", "machine-1", "machine-2", "machine-3"]);
  });
});
