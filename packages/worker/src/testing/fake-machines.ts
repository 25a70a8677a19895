import { setImmediate } from "node:timers/promises";
import type { PrepareSandboxRequest } from "@opencomputer/protocol/wire";
import type { AgentClient } from "../guest/agent-client.ts";
import type { Machines } from "../machines/create-machines.ts";
import type { Machine } from "../machines/machine.ts";
import type { Origin } from "../machines/origin.ts";
import { parseNetworkBlock } from "../network/network-block.ts";
import { slotAt } from "../network/slot.ts";
import { newMachineShape } from "../vm/machine-shape.ts";
import type { VirtualMachine } from "../vm/virtual-machine.ts";

/** What happens to fakes, in order. A step can be made to fail or to wait. */
export interface Journal {
  readonly events: string[];
  note(event: string): Promise<void>;
  /** From now on the step fails; the function that is returned ends it. */
  fail(event: string): () => void;
  /** Returns when the step has begun. */
  reached(event: string): Promise<void>;
  /** From now on the step waits until the function that is returned is called. */
  hold(event: string): () => void;
}

export function createJournal(): Journal {
  const events: string[] = [];
  const failing = new Set<string>();
  const held = new Map<string, Promise<void>>();
  return {
    events,
    async note(event) {
      events.push(event);
      await held.get(event);
      if (failing.has(event)) throw new Error(`${event} failed`);
    },
    fail(event) {
      failing.add(event);
      return () => void failing.delete(event);
    },
    async reached(event) {
      while (!events.includes(event)) await setImmediate();
    },
    hold(event) {
      const waiting: (() => void)[] = [];
      held.set(event, new Promise((resolve) => waiting.push(resolve)));
      return () => {
        held.delete(event);
        for (const resolve of waiting) resolve();
      };
    },
  };
}

export interface FakeMachines extends Machines {
  /** A machine with this in its record; `isOver` for one that ended while no worker looked. */
  fake(record?: Partial<Machine["record"]>, options?: { isOver?: boolean }): Machine;
  /** Whether the host's disk is full for all of them. */
  lackStorage(isLacking: boolean): void;
  /** The machine ends by itself. */
  end(machineId: string): void;
}

const block = parseNetworkBlock("198.18.4.0/22");

/**
 * Machines that only write down what happens to them, `machine-0` first.
 * Guests report `cpusOnline` CPUs, one call after the other, then all.
 */
export function createFakeMachines(
  { note, events }: Journal,
  options: { cpusOnline?: number[] } = {},
): FakeMachines {
  const cpusOnline = [...(options.cpusOnline ?? [])];
  const endCallbacks = new Map<string, (() => void)[]>();
  let machineCount = 0;
  let lacksStorage = false;

  function fakeVm(id: string, index: number): VirtualMachine {
    let isEnded = false;
    let currentMemoryMB = 16384;
    const callbacks: (() => void)[] = [];
    const end = () => {
      if (isEnded) return;
      isEnded = true;
      for (const callback of callbacks) callback();
    };
    endCallbacks.set(id, [end]);
    return {
      process: { pid: 100 + index, startTicks: "1" },
      pause: () => note("pause"),
      resume: () => note("resume"),
      lacksStorage: () => lacksStorage,
      save: () => note("save"),
      lastPauseMilliseconds: () => 1,
      diskPath: async () => "disk",
      writeInto: () => note("write into layer"),
      replaceUnder: () => note("replace layers"),
      plugCpus: (count) => note(`plug ${count} CPUs`),
      async plugMemory(memoryMB) {
        await note(`plug ${memoryMB} MB`);
        currentMemoryMB = memoryMB;
      },
      currentMemoryMB: async () => currentMemoryMB,
      growDisk: (diskMB) => note(`grow disk to ${diskMB} MB`),
      onEnd(callback) {
        if (isEnded) callback();
        else callbacks.push(callback);
      },
      async kill() {
        await note(`kill ${id}`);
        end();
      },
      release: () => void events.push("release"),
    };
  }

  function fake(record: Partial<Machine["record"]> = {}, state: { isOver?: boolean } = {}) {
    const index = machineCount;
    machineCount += 1;
    const id = `machine-${index}`;
    const vm = state.isOver === true ? undefined : fakeVm(id, index);
    return {
      id,
      slot: slotAt("00c0ffee", block, index),
      vm,
      agent: fakeAgent(note, cpusOnline),
      record: {
        id,
        process: { pid: 100 + index, startTicks: "1" },
        slotIndex: index,
        ...newMachineShape("tcg", 1024),
        imageFingerprint: "image-1",
        cpuCount: 1,
        memoryMB: 1024,
        diskMB: 8192,
        hasMemory: true,
        isFresh: true,
        isContinuation: false,
        lostBecause: null,
        disk: { goldenFingerprint: "golden-1", layers: [`layer-${index}`], sizeMB: 8192 },
        sandbox: null,
        machineId: null,
        startedAtUnixMilliseconds: null,
        hookError: null,
        phase: "prepared" as const,
        ...record,
      },
    };
  }

  return {
    fake,
    lackStorage(isLacking) {
      lacksStorage = isLacking;
    },
    end(machineId) {
      for (const end of endCallbacks.get(machineId) ?? []) end();
    },
    async make(origin: Origin) {
      await note(origin.sandboxId === null ? "make fork" : "make again");
      return fake({
        hasMemory: origin.memory !== null,
        isFresh: origin.isFresh,
        isContinuation: origin.sandboxId !== null,
        lostBecause: origin.lostBecause,
        disk: origin.disk,
      });
    },
    async save(machine, record) {
      await note(`record ${record.sandbox === null ? "none" : record.phase}`);
      machine.record = record;
    },
    limit: () => note("limit"),
    async addLayer(_machine, _path, pause) {
      await pause();
      await note("add layer");
    },
    async flatten(machine, inTurn) {
      await note("flatten machine");
      await inTurn(async () => {
        await note("exchange layers");
        const { disk } = machine.record;
        machine.record = { ...machine.record, disk: { ...disk, layers: ["newest", "flat"] } };
      });
    },
    async discard(machine) {
      await note(`discard ${machine.id}`);
      for (const end of endCallbacks.get(machine.id) ?? []) end();
    },
    lastMessages: async () => "qemu: it ended",
    trimLog: () => note("trim log"),
    adopt: async () => ({ machines: [], unreadable: [] }),
    killOthers: async () => undefined,
  };
}

function fakeAgent(note: Journal["note"], cpusOnline: number[]): AgentClient {
  const notHere = () => Promise.reject(new Error("not here"));
  return {
    waitUntilHealthy: () => note("health"),
    async configure({ cpuCount, hostname }) {
      await note(`configure ${hostname}`);
      return { cpuCount: cpusOnline.shift() ?? cpuCount, memoryMB: 1024 };
    },
    async limit({ memoryBytesMax }) {
      await note(`limit commands to ${memoryBytesMax / 1024 / 1024} MiB`);
      return { applied: true, memoryUsedBytes: 0 };
    },
    memoryUsedBytes: async () => 0,
    freeze: () => note("freeze"),
    async runHooks() {
      await note("hooks");
      return "";
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
    terminals: {
      open: notHere,
      list: notHere,
      get: notHere,
      resize: notHere,
      hangUp: notHere,
      output: notHere,
      input: notHere,
    },
    tunnels: { open: notHere, close: () => undefined },
    readFile: notHere,
    writeFile: () => note("write file"),
    removeFile: () => note("remove file"),
    listDirectory: async () => [],
    makeDirectory: () => note("make directory"),
    close: () => note("close agent"),
  };
}

/** A request for a sandbox, with some changes. */
export function sandboxSpec(change: Partial<PrepareSandboxRequest> = {}): PrepareSandboxRequest {
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
