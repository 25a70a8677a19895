import { type ProcessState, serviceStateMessageSchema } from "@opencomputer/protocol/wire";
import type { Logger } from "pino";

/** Keeps what the supervisor reports on the channel of a process it started. */
export function watchProcessStates(
  channel: Pick<NodeJS.Process, "on">,
  logger: Pick<Logger, "warn">,
): () => readonly ProcessState[] {
  let processes: readonly ProcessState[] = [];
  channel.on("message", (message: unknown) => {
    const parsed = serviceStateMessageSchema.safeParse(message);
    if (parsed.success) processes = parsed.data.processes;
    else logger.warn({ issues: parsed.error.issues }, "the supervisor sent a malformed message");
  });
  return () => processes;
}
