import { isDeepStrictEqual } from "node:util";
import {
  type PrepareSandboxRequest,
  WireError,
  type WorkerSandbox,
  type workerSandboxStateSchema,
} from "@opencomputer/protocol";
import type { z } from "zod";
import type { GoldenSnapshot } from "../golden/golden-snapshot.ts";
import type { AgentClient } from "../guest/agent-client.ts";
import type { Machine, Machines } from "../machines/create-machines.ts";
import type { Slots } from "../network/create-slots.ts";
import { startGuest } from "./start-guest.ts";

type State = z.infer<typeof workerSandboxStateSchema>;

interface Sandbox {
  readonly spec: PrepareSandboxRequest;
  readonly machine: Machine;
  state: State;
  starting: Promise<void> | undefined;
  removing: Promise<void> | undefined;
}

/** The sandboxes of this host, each in a machine of its own. */
export interface Sandboxes {
  /**
   * Gives a sandbox a machine and its network rules; nothing of it runs yet.
   * The same request again answers the same.
   *
   * @throws {WireError} `name_in_use` for another request of the same id,
   * `unsupported_option` for a size that the host cannot give.
   */
  prepare(spec: PrepareSandboxRequest): Promise<WorkerSandbox>;
  /** Returns when the sandbox takes commands. Started already is no error. */
  start(sandboxId: string): Promise<WorkerSandbox>;
  get(sandboxId: string): WorkerSandbox;
  list(): WorkerSandbox[];
  /** @throws {WireError} `sandbox_not_found` when it is not there, or no more. */
  remove(sandboxId: string): Promise<void>;
  /** The agent of a sandbox. @throws {WireError} when it is not there or does not run. */
  agentOf(sandboxId: string): AgentClient;
  /** Takes over the machines of an earlier worker. */
  adopt(machines: readonly Machine[]): void;
  /** Golden snapshots that sandboxes stand on. */
  goldenFingerprints(): ReadonlySet<string>;
  /** Keeps the logs of machines within their limit. */
  trimLogs(): Promise<void>;
  /** Returns when no sandbox is being prepared any more; the processes of those there are. */
  settle(): Promise<ReadonlySet<number>>;
  /** Lets go of every machine; they run on. */
  release(): Promise<void>;
}

export function createSandboxes(deps: {
  machines: Machines;
  slots: Slots;
  /** A paused machine of the current golden snapshot, from the pool or a new one. */
  takeMachine: () => Promise<Machine>;
  openGolden: (fingerprint: string) => Promise<GoldenSnapshot>;
  checkSize: (spec: PrepareSandboxRequest) => void;
  log: {
    info(details: object, message: string): void;
    error(details: object, message: string): void;
  };
}): Sandboxes {
  const { machines, slots, log } = deps;
  const sandboxes = new Map<string, Sandbox>();
  const preparing = new Map<string, { spec: PrepareSandboxRequest; done: Promise<Sandbox> }>();

  function find(sandboxId: string): Sandbox {
    const sandbox = sandboxes.get(sandboxId);
    if (sandbox === undefined) {
      throw new WireError("sandbox_not_found", `There is no sandbox ${sandboxId} on this host`);
    }
    return sandbox;
  }

  function add(spec: PrepareSandboxRequest, machine: Machine, state: State): Sandbox {
    const sandbox: Sandbox = { spec, machine, state, starting: undefined, removing: undefined };
    sandboxes.set(spec.sandboxId, sandbox);
    machine.vm?.onEnd(() => {
      if (sandbox.removing === undefined) void markFailed(sandbox);
    });
    return sandbox;
  }

  async function markFailed(sandbox: Sandbox): Promise<void> {
    sandbox.state = "failed";
    const { sandboxId } = sandbox.spec;
    const messages = await machines
      .lastMessages(sandbox.machine)
      .catch((error: unknown) => `its messages cannot be read: ${String(error)}`);
    log.error({ sandboxId, messages }, "A sandbox's machine has ended by itself");
  }

  async function makeSandbox(spec: PrepareSandboxRequest): Promise<Sandbox> {
    const machine = await deps.takeMachine();
    try {
      await Promise.all([
        machines.save(machine, { ...machine.record, sandbox: spec }),
        slots.setMode(machine.slot, spec.egressMode),
        machines.limit(machine, spec, false),
      ]);
      return add(spec, machine, "prepared");
    } catch (error) {
      await machines.discard(machine);
      throw error;
    }
  }

  async function startMachine(sandbox: Sandbox): Promise<void> {
    const { spec, machine } = sandbox;
    const { vm } = machine;
    if (vm === undefined) throw notRunning(spec.sandboxId);
    const golden = await deps.openGolden(machine.record.goldenFingerprint);
    await startGuest({ vm, agent: machine.agent, spec, golden });
    await machines.save(machine, { ...machine.record, isStarted: true });
    if (sandbox.state === "prepared") sandbox.state = "running";
  }

  return {
    async prepare(spec) {
      const { sandboxId } = spec;
      const known = preparing.get(sandboxId)?.spec ?? sandboxes.get(sandboxId)?.spec;
      if (known !== undefined && !isDeepStrictEqual(known, spec)) {
        throw new WireError("name_in_use", `Sandbox ${sandboxId} is here with other options`);
      }
      const present = sandboxes.get(sandboxId);
      if (present !== undefined) return describe(present);
      deps.checkSize(spec);
      let entry = preparing.get(sandboxId);
      if (entry === undefined) {
        const done = makeSandbox(spec).finally(() => preparing.delete(sandboxId));
        entry = { spec, done };
        preparing.set(sandboxId, entry);
      }
      return describe(await entry.done);
    },

    async start(sandboxId) {
      const sandbox = find(sandboxId);
      if (sandbox.state === "failed" || sandbox.removing !== undefined) throw notRunning(sandboxId);
      if (sandbox.state === "prepared") {
        sandbox.starting ??= startMachine(sandbox).finally(() => {
          sandbox.starting = undefined;
        });
        await sandbox.starting;
      }
      return describe(sandbox);
    },

    get: (sandboxId) => describe(find(sandboxId)),
    list: () => [...sandboxes.values()].map(describe),

    async remove(sandboxId) {
      const pending = preparing.get(sandboxId);
      if (pending !== undefined) {
        // Its own caller hears why it could not be prepared.
        await Promise.allSettled([pending.done]);
      }
      const sandbox = find(sandboxId);
      sandbox.removing ??= machines.discard(sandbox.machine).then(
        () => {
          sandboxes.delete(sandboxId);
        },
        (error: unknown) => {
          sandbox.state = "failed";
          sandbox.removing = undefined;
          throw error;
        },
      );
      await sandbox.removing;
    },

    agentOf(sandboxId) {
      const sandbox = find(sandboxId);
      if (sandbox.state !== "running" || sandbox.removing !== undefined) {
        throw notRunning(sandboxId, sandbox.state);
      }
      return sandbox.machine.agent;
    },

    adopt(adopted) {
      for (const machine of adopted) {
        const spec = machine.record.sandbox;
        if (spec === null) continue;
        const state = machine.record.isStarted ? "running" : "prepared";
        add(spec, machine, machine.vm === undefined ? "failed" : state);
        log.info({ sandboxId: spec.sandboxId, state }, "A sandbox was taken over");
      }
    },

    goldenFingerprints: () =>
      new Set([...sandboxes.values()].map(({ machine }) => machine.record.goldenFingerprint)),

    async trimLogs() {
      const present = [...sandboxes.values()].filter(({ removing }) => removing === undefined);
      await Promise.all(present.map(({ machine }) => machines.trimLog(machine)));
    },

    async settle() {
      // Whoever asked for a sandbox that cannot be prepared hears of it.
      await Promise.allSettled([...preparing.values()].map(({ done }) => done));
      return new Set(
        [...sandboxes.values()].flatMap(({ machine }) => machine.vm?.process.pid ?? []),
      );
    },

    async release() {
      for (const { machine } of sandboxes.values()) {
        machine.vm?.release();
        await machine.agent.close();
      }
    },
  };
}

function describe({ spec, machine, state }: Sandbox): WorkerSandbox {
  return {
    sandboxId: spec.sandboxId,
    state,
    sourceAddress: machine.slot.slotAddress,
    memory: "kept",
    lostBecause: null,
  };
}

function notRunning(sandboxId: string, state: State = "failed"): WireError {
  const reason =
    state === "prepared"
      ? "it was prepared and not started yet"
      : "its machine has ended, or is being removed";
  return new WireError("sandbox_not_running", `Sandbox ${sandboxId} does not run: ${reason}`);
}
