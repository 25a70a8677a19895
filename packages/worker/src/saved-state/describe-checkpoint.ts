import type { WorkerCheckpoint } from "@opencomputer/protocol";
import type { SavedMachine } from "./saved-machine.ts";

export function describeCheckpoint(saved: SavedMachine): WorkerCheckpoint {
  const { id, kind, memoryMB, sizeBytes, pauseMilliseconds } = saved;
  return { checkpointId: id, kind, memoryMB, sizeBytes, pauseMilliseconds };
}
