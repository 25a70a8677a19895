import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type PrepareSandboxRequest, WireError } from "@opencomputer/protocol";
import type { AgentClient } from "../guest/agent-client.ts";
import type { Machine, Machines } from "../machines/create-machines.ts";
import { parseNetworkBlock } from "../network/network-block.ts";
import { slotAt } from "../network/slot.ts";
import type { VirtualMachine } from "../vm/virtual-machine.ts";
import { createSandboxes } from "./create-sandboxes.ts";

const golden = {
  fingerprint: "golden-1",
  imageFingerprint: "image-1",
  baseMemoryMB: 1024,
  diskMB: 8192,
  memoryPath: "/memory",
  statePath: "/state",
  overlayPath: "/overlay",
};
const block = parseNetworkBlock("198.18.4.0/22");

function spec(change: Partial<PrepareSandboxRequest> = {}): PrepareSandboxRequest {
  return {
    sandboxId: "sb-aaaaaaaaaaaaaaaaaaaa",
    cpuCount: 1,
    memoryMB: 1024,
    diskMB: null,
    egressMode: "allowlisted",
    envs: { A: "1" },
    checkpointId: null,
    ...change,
  };
}

/** Sandboxes on machines that only write down what happens to them. */
function scenario(options: { failOn?: string; cpusOnline?: number[] } = {}) {
  const events: string[] = [];
  const note = async (event: string) => {
    events.push(event);
    if (options.failOn === event) throw new Error(`${event} failed`);
  };
  const cpusOnline = [...(options.cpusOnline ?? [])];
  let machineCount = 0;
  const ends: (() => void)[] = [];

  const notHere = () => Promise.reject(new Error("not here"));

  function fakeMachine(record: Partial<Machine["record"]> = {}): Machine {
    const index = machineCount;
    machineCount += 1;
    const process = { pid: 100 + index, startTicks: "1" };
    const vm: VirtualMachine = {
      process,
      pause: () => note("pause"),
      resume: () => note("resume"),
      saveState: () => note("save state"),
      plugCpus: (count) => note(`plug ${count} CPUs`),
      plugMemory: (memoryMB) => note(`plug ${memoryMB} MB`),
      currentMemoryMB: async () => 16384,
      growDisk: (diskMB) => note(`grow disk to ${diskMB} MB`),
      onEnd: (callback) => ends.push(callback),
      kill: () => note("kill"),
      release: () => void events.push("release"),
    };
    const agent: AgentClient = {
      waitUntilHealthy: () => note("health"),
      async configure({ cpuCount, hostname }) {
        await note(`configure ${hostname}`);
        return { cpuCount: cpusOnline.shift() ?? cpuCount, memoryMB: 1024 };
      },
      sync: () => note("sync"),
      async run({ command }) {
        await note(`run ${command[0]}`);
        return { exitCode: 0, stdout: "6", stderr: "" };
      },
      sessions: {
        start: notHere,
        list: notHere,
        get: notHere,
        kill: notHere,
        result: notHere,
        output: notHere,
        input: notHere,
      },
      readFile: notHere,
      writeFile: () => note("write file"),
      removeFile: () => note("remove file"),
      listDirectory: async () => [],
      makeDirectory: () => note("make directory"),
      close: () => note("close agent"),
    };
    const whole = {
      id: `machine-${index}`,
      process,
      slotIndex: index,
      goldenFingerprint: "golden-1",
      accelerator: "tcg" as const,
      sandbox: null,
      isStarted: false,
      ...record,
    };
    return { id: whole.id, slot: slotAt("00c0ffee", block, index), vm, agent, record: whole };
  }

  const machines: Machines = {
    restore: async () => fakeMachine(),
    async save(machine, record) {
      await note(
        `record ${record.sandbox === null ? "none" : record.isStarted ? "started" : "prepared"}`,
      );
      machine.record = record;
    },
    limit: () => note("limit"),
    discard: () => note("discard"),
    lastMessages: async () => "qemu: it ended",
    trimLog: () => note("trim log"),
    adopt: async () => [],
  };
  const sandboxes = createSandboxes({
    machines,
    slots: {
      open: () => Promise.reject(new Error("not here")),
      adopt: (index) => slotAt("00c0ffee", block, index),
      setMode: (_, mode) => note(`mode ${mode}`),
      close: () => note("close slot"),
      closeStrays: () => note("close strays"),
    },
    takeMachine: async () => fakeMachine(),
    openGolden: async () => golden,
    checkSize: ({ memoryMB }) => {
      if (memoryMB > 8192) throw new WireError("unsupported_option", "too much");
    },
    log: { info: () => undefined, error: (_, message) => events.push(message) },
  });
  return {
    sandboxes,
    events,
    fakeMachine,
    endMachine() {
      for (const end of ends.splice(0)) end();
    },
  };
}

function failsWith(code: string) {
  return (error: unknown) => error instanceof WireError && error.code === code;
}

const { sandboxId } = spec();

describe("createSandboxes", () => {
  test("the guest does not run before its rules, limits and record are in place", async () => {
    const { sandboxes, events } = scenario();
    const prepared = await sandboxes.prepare(spec());
    assert.deepEqual(prepared, {
      sandboxId,
      state: "prepared",
      sourceAddress: "198.18.4.6",
      memory: "kept",
      lostBecause: null,
    });
    assert.deepEqual([...events].sort(), ["limit", "mode allowlisted", "record prepared"]);
    events.length = 0;
    assert.equal((await sandboxes.start(sandboxId)).state, "running");
    assert.deepEqual(events, ["resume", `configure ${sandboxId}`, "record started"]);
  });

  test("sizes are plugged before the guest runs, and its configuration waits for the CPUs", async () => {
    const { sandboxes, events } = scenario({ cpusOnline: [1, 1, 2] });
    await sandboxes.prepare(spec({ cpuCount: 2, memoryMB: 2048, diskMB: 16384 }));
    events.length = 0;
    await sandboxes.start(sandboxId);
    assert.deepEqual(events, [
      "plug 2 CPUs",
      "plug 2048 MB",
      "grow disk to 16384 MB",
      "resume",
      ...Array.from({ length: 3 }, () => `configure ${sandboxId}`),
      "run resize2fs",
      "record started",
    ]);
  });

  test("a request that comes again is answered again, at the same time too", async () => {
    const { sandboxes, events } = scenario();
    const answers = await Promise.all([sandboxes.prepare(spec()), sandboxes.prepare(spec())]);
    assert.deepEqual(answers[0], answers[1]);
    assert.deepEqual(await sandboxes.prepare(spec()), answers[0]);
    await Promise.all([sandboxes.start(sandboxId), sandboxes.start(sandboxId)]);
    await sandboxes.start(sandboxId);
    assert.equal(events.filter((event) => event === "resume").length, 1);
    await assert.rejects(sandboxes.prepare(spec({ memoryMB: 2048 })), failsWith("name_in_use"));
  });

  for (const failOn of ["mode allowlisted", "record prepared", "limit"]) {
    test(`when ${failOn} fails, the machine is discarded and the id is free`, async () => {
      const { sandboxes, events } = scenario({ failOn });
      await assert.rejects(sandboxes.prepare(spec()), /failed/);
      assert.equal(events.at(-1), "discard");
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
    const { sandboxes } = scenario({ failOn: `configure ${sandboxId}` });
    await sandboxes.prepare(spec());
    await assert.rejects(sandboxes.start(sandboxId), /configure/);
    assert.equal(sandboxes.get(sandboxId).state, "prepared");
  });

  test("only a running sandbox has an agent", async () => {
    const { sandboxes, endMachine } = scenario();
    assert.throws(() => sandboxes.agentOf(sandboxId), failsWith("sandbox_not_found"));
    await sandboxes.prepare(spec());
    assert.throws(() => sandboxes.agentOf(sandboxId), failsWith("sandbox_not_running"));
    await sandboxes.start(sandboxId);
    assert.ok(sandboxes.agentOf(sandboxId));
    endMachine();
    assert.equal(sandboxes.get(sandboxId).state, "failed");
    assert.throws(() => sandboxes.agentOf(sandboxId), failsWith("sandbox_not_running"));
    await assert.rejects(sandboxes.start(sandboxId), failsWith("sandbox_not_running"));
    await sandboxes.remove(sandboxId);
    assert.throws(() => sandboxes.get(sandboxId), failsWith("sandbox_not_found"));
  });

  test("remove: once for all callers, then it is not there; its end is no failure", async () => {
    const { sandboxes, events, endMachine } = scenario();
    await sandboxes.prepare(spec());
    const removals = [sandboxes.remove(sandboxId), sandboxes.remove(sandboxId)];
    endMachine();
    await Promise.all(removals);
    assert.equal(events.filter((event) => event === "discard").length, 1);
    assert.ok(!events.some((event) => event.includes("ended by itself")));
    await assert.rejects(sandboxes.remove(sandboxId), failsWith("sandbox_not_found"));
  });

  test("remove: waits for a sandbox that is still being prepared", async () => {
    const { sandboxes, events } = scenario();
    const prepared = sandboxes.prepare(spec());
    await sandboxes.remove(sandboxId);
    await prepared;
    assert.equal(events.at(-1), "discard");
    assert.deepEqual(sandboxes.list(), []);
  });

  test("adopt: what ran runs, what was prepared is, what ended failed", async () => {
    const { sandboxes, fakeMachine } = scenario();
    const id = (letter: string) => `sb-${letter.repeat(20)}`;
    sandboxes.adopt([
      fakeMachine({ sandbox: spec({ sandboxId: id("a") }), isStarted: true }),
      fakeMachine({ sandbox: spec({ sandboxId: id("b") }), isStarted: false }),
      { ...fakeMachine({ sandbox: spec({ sandboxId: id("c") }), isStarted: true }), vm: undefined },
      fakeMachine(),
    ]);
    assert.deepEqual(
      sandboxes.list().map(({ state }) => state),
      ["running", "prepared", "failed"],
    );
    assert.deepEqual([...sandboxes.goldenFingerprints()], ["golden-1"]);
    assert.deepEqual([...(await sandboxes.settle())], [100, 101]);
  });
});
