import type { Sandbox } from "@opencomputer/sdk";

/**
 * What the caller knows of a sandbox. Where a response was lost, several
 * contents may be true; a look decides which one is.
 */
export interface KnownSandbox {
  sandbox: Sandbox;
  /** What the synced file on its disk may hold; empty text for no file. */
  disk: Set<string>;
  /** What the file in its memory may hold, beside which a process counts; empty text for none. */
  memory: Set<string>;
  /** Its machine was killed, and it was not looked at since. */
  mayHaveLostMemory: boolean;
  /** The token of its secret; undefined until it was seen. */
  token: string | undefined;
}

/** A checkpoint that was seen ready. */
export interface KnownCheckpoint {
  id: string;
  /** Whose it is; it may have been killed since. */
  owner: Sandbox;
  disk: Set<string>;
  memory: Set<string>;
  token: string | undefined;
}

/** What the caller knows of everything that it created. */
export interface Model {
  sandboxes: Map<string, KnownSandbox>;
  checkpoints: Map<string, KnownCheckpoint>;
  /** Sandboxes whose kill was acknowledged: never seen again. */
  killed: Map<string, Sandbox>;
  /** The value that the store holds. */
  secretValue: string;
}

export function createModel(secretValue: string): Model {
  return { sandboxes: new Map(), checkpoints: new Map(), killed: new Map(), secretValue };
}

export function union(...sets: readonly ReadonlySet<string>[]): Set<string> {
  return new Set(sets.flatMap((set) => [...set]));
}
