import type { CheckpointRecord, SandboxSummary } from "@opencomputer/sdk";

/** A checkpoint with the sandboxes that were forked from it. */
export interface CheckpointNode {
  checkpoint: CheckpointRecord;
  forks: ForkNode[];
}

/** A fork with the checkpoints that were made of it. */
export interface ForkNode {
  sandbox: SandboxSummary;
  checkpoints: CheckpointNode[];
}

/** Sandboxes of one tree whose checkpoints are read; further forks are shown without theirs. */
export const lineageSandboxesMax = 50;

/** Reads the checkpoints of a sandbox, of its forks, of theirs, and so on: by sandbox. */
export async function lineageOf(
  sandboxId: string,
  sandboxes: readonly SandboxSummary[],
  list: (sandboxId: string) => Promise<CheckpointRecord[]>,
): Promise<Map<string, CheckpointRecord[]>> {
  const found = new Map<string, CheckpointRecord[]>();
  const waiting = [sandboxId];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    if (found.has(next) || found.size >= lineageSandboxesMax) continue;
    const checkpoints = await list(next);
    found.set(next, checkpoints);
    for (const { id } of checkpoints) {
      waiting.push(...forksOf(id, sandboxes).map(({ sandboxID }) => sandboxID));
    }
  }
  return found;
}

/** Puts checkpoints and forks below one another, the newest first. */
export function growTree(
  sandboxId: string,
  sandboxes: readonly SandboxSummary[],
  checkpoints: ReadonlyMap<string, readonly CheckpointRecord[]>,
): CheckpointNode[] {
  return [...(checkpoints.get(sandboxId) ?? [])]
    .sort((one, other) => other.createdAt.localeCompare(one.createdAt))
    .map((checkpoint) => ({
      checkpoint,
      forks: forksOf(checkpoint.id, sandboxes).map((sandbox) => ({
        sandbox,
        checkpoints: growTree(sandbox.sandboxID, sandboxes, checkpoints),
      })),
    }));
}

function forksOf(checkpointId: string, sandboxes: readonly SandboxSummary[]): SandboxSummary[] {
  return sandboxes.filter(({ fromCheckpointId }) => fromCheckpointId === checkpointId);
}
