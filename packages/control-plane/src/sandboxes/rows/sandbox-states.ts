import type { SandboxStatus } from "@opencomputer/protocol/api";
import type { sandboxStates } from "../../database/schema.ts";

export type SandboxState = (typeof sandboxStates)[number];

/** Stored while the worker acts; reconciled with what the worker has. */
export const transitionalStates: SandboxState[] = ["hibernating", "waking", "restoring"];

/** States of a sandbox that its owner can use. */
export const presentStates: SandboxState[] = ["running", "hibernated", ...transitionalStates];

/** States that have, or may have, a machine and a session. */
export const liveStates: SandboxState[] = ["creating", "running", ...transitionalStates];

/** States that a sandbox comes back from, so that its secrets have to stay current. */
export const keptStates: SandboxState[] = ["creating", ...presentStates];

/** States in which the proxy may hold a session: one that is being killed has it until it is removed. */
export const sessionStates: SandboxState[] = [...liveStates, "killing"];

export const statesByStatus: Record<SandboxStatus, SandboxState[]> = {
  running: ["running", "restoring"],
  hibernated: ["hibernating", "hibernated", "waking"],
  stopped: ["killing", "stopped"],
};

export function statusOf(state: SandboxState): SandboxStatus {
  if (statesByStatus.running.includes(state)) return "running";
  return statesByStatus.hibernated.includes(state) ? "hibernated" : "stopped";
}
