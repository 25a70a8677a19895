import type { WireError } from "@opencomputer/protocol/api";
import type { WorkerSandbox } from "@opencomputer/protocol/wire";
import type { Machine } from "../../machines/machine.ts";
import { endMachine } from "../machine/end-machine.ts";
import {
  countFailedStart,
  failedMemoryReason,
  givenUp,
  hasFailedForGood,
} from "../machine/failed-starts.ts";
import { startGuest } from "../machine/start-guest.ts";
import { notRunning, type Sandbox, stateOf } from "../registry/sandbox.ts";
import type { SandboxParts } from "./sandbox-parts.ts";
import { forgetSaved, keepDiskAlone } from "./saved-state.ts";

/**
 * Lets the machine of a prepared sandbox run. One that runs already is no error.
 *
 * @throws {WireError} `guest_failed`, `sandbox_not_running` for one that is hibernated.
 */
export function startSandbox(
  parts: SandboxParts,
  sandboxId: string,
  restartSessions: readonly string[],
): Promise<WorkerSandbox> {
  const { registry } = parts;
  return registry.change(sandboxId, async (sandbox) => {
    if (stateOf(sandbox) !== "running") await startMachine(parts, sandbox, restartSessions);
    return registry.describe(sandbox);
  });
}

async function startMachine(
  parts: SandboxParts,
  sandbox: Sandbox,
  restartSessions: readonly string[],
): Promise<void> {
  const { machines, runningDisks, tracer } = parts;
  const { spec, machine } = sandbox;
  if (machine?.vm === undefined) throw notRunning(sandbox);
  const { vm, agent, record: atHand } = machine;
  await releaseMachine(parts, sandbox, machine);
  const { hookError } = await tracer
    .span("start guest", () => startGuest({ vm, agent, spec, atHand, restartSessions }))
    .catch(async (error: unknown) => {
      countFailedStart(sandbox, parts.now());
      if (!hasFailedForGood(sandbox, parts.now())) throw error;
      throw await giveUp(parts, sandbox, machine, error);
    });
  sandbox.failedStarts = null;
  const startedAtUnixMilliseconds = Date.now();
  await machines.save(machine, {
    ...machine.record,
    startedAtUnixMilliseconds,
    hookError,
    phase: "started",
  });
  // Each wake puts a layer over what was saved.
  runningDisks.flattenDeep(sandbox);
}

/** Records that the machine may run: what was saved is then outdated, because its disk changes. */
async function releaseMachine(
  parts: SandboxParts,
  { spec }: Sandbox,
  machine: Machine,
): Promise<void> {
  const { record } = machine;
  if (record.phase === "prepared") {
    const sizeMB = Math.max(spec.diskMB ?? 0, record.disk.sizeMB);
    const disk = { ...record.disk, sizeMB };
    await parts.machines.save(machine, { ...record, disk, phase: "released" });
  }
  await forgetSaved(parts, spec.sandboxId);
}

/** Keeps only the disk of a sandbox whose guest does not start, and returns the error of its caller. */
async function giveUp(
  parts: SandboxParts,
  sandbox: Sandbox,
  machine: Machine,
  cause: unknown,
): Promise<WireError> {
  const { log } = parts;
  const { sandboxId } = sandbox.spec;
  log.error({ sandboxId, err: cause }, "A guest that does not start is ended");
  const lostBecause = machine.record.lostBecause ?? failedMemoryReason;
  await endMachine(machine, { orderly: false }, log);
  await keepDiskAlone(parts, sandbox, machine, lostBecause);
  return givenUp(sandbox, cause);
}
