import type { ProcessState } from "@opencomputer/protocol/api";
import { type ProcessUsage, supervisorMessageSchema } from "@opencomputer/protocol/wire";
import type { Logger } from "pino";
import type { ControlPlaneOptions } from "./control-plane-options.ts";

/** Keeps what the supervisor reports on the channel of a process it started. */
export function watchSupervisor(
  channel: Pick<NodeJS.Process, "on">,
  logger: Pick<Logger, "warn">,
): Pick<ControlPlaneOptions, "readProcessStates" | "readProcessUsage"> {
  let states: readonly ProcessState[] = [];
  let usage: readonly ProcessUsage[] = [];
  channel.on("message", (received: unknown) => {
    const { success, data, error } = supervisorMessageSchema.safeParse(received);
    if (!success) {
      logger.warn({ issues: error.issues }, "the supervisor sent a malformed message");
    } else if (data.type === "service-state") {
      states = data.processes;
    } else {
      usage = data.processes;
    }
  });
  return { readProcessStates: () => states, readProcessUsage: () => usage };
}
