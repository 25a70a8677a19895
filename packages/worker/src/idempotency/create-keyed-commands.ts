import { limits, WireError } from "@opencomputer/protocol/api";
import type { CommandIdentity } from "./command-identity.ts";

/** Runs commands with an idempotency key once, and keeps their outcomes. */
export interface KeyedCommands {
  /**
   * Returns the outcome of the command: runs it, joins it while it runs, or takes
   * the outcome that is kept. A failure before the command began is not kept.
   *
   * @param caller Aborts when the caller disconnects. A command whose callers
   * have all disconnected is aborted a moment later, unless one comes back; without
   * a signal it is not.
   * @throws {WireError} `idempotency_key_reused` for another command under the
   * same key; `outcome_unknown` for one whose output is no longer kept.
   */
  run<Result>(
    identity: CommandIdentity,
    work: (signal: AbortSignal) => Promise<Result>,
    options?: { caller?: AbortSignal; outputLengthOf?: (result: Result) => number },
  ): Promise<Result>;
}

interface Entry {
  readonly identity: CommandIdentity;
  readonly aborting: AbortController;
  outcome: Promise<unknown>;
  callers: number;
  grace: NodeJS.Timeout | undefined;
  /** Undefined while it runs. */
  ended: { outputLength: number; expiry: NodeJS.Timeout } | undefined;
}

interface Bounds {
  keysMax: number;
  keptMilliseconds: number;
  graceMilliseconds: number;
  outputPerSandboxMax: number;
  outputTotalMax: number;
}

const defaultBounds: Bounds = {
  keysMax: limits.idempotencyKeysPerSandboxMax,
  keptMilliseconds: limits.idempotencyKeySecondsMax * 1000,
  graceMilliseconds: limits.idempotentCommandGraceSeconds * 1000,
  outputPerSandboxMax: limits.idempotentOutputBytesPerSandboxMax,
  outputTotalMax: limits.idempotentOutputBytesTotalMax,
};

export function createKeyedCommands(bounds: Bounds = defaultBounds): KeyedCommands {
  /** The entries of each sandbox by key, in the order in which they began. */
  const sandboxes = new Map<string, Map<string, Entry>>();

  function drop(entry: Entry): void {
    const { sandboxId, key } = entry.identity;
    clearTimeout(entry.ended?.expiry);
    const entries = sandboxes.get(sandboxId);
    if (entries?.get(key) !== entry) return;
    entries.delete(key);
    if (entries.size === 0) sandboxes.delete(sandboxId);
  }

  function end(entry: Entry, outputLength: number): void {
    clearTimeout(entry.grace);
    const expiry = setTimeout(() => drop(entry), bounds.keptMilliseconds);
    expiry.unref();
    entry.ended = { outputLength, expiry };
    const own = [...(sandboxes.get(entry.identity.sandboxId)?.values() ?? [])];
    const endedOwn = own.filter(({ ended }) => ended !== undefined);
    for (const old of endedOwn.slice(0, Math.max(0, own.length - bounds.keysMax))) drop(old);
    dropOutput(endedOwn, bounds.outputPerSandboxMax);
    boundTotal();
  }

  /** The sandbox that keeps the most loses its oldest first, so that none displaces what others keep. */
  function boundTotal(): void {
    const kept = [...sandboxes.values()].map((entries) => [...entries.values()]);
    let total = lengthOf(kept.flat());
    while (total > bounds.outputTotalMax) {
      const most = kept.reduce((one, other) => (lengthOf(other) > lengthOf(one) ? other : one));
      const before = lengthOf(most);
      dropOutput(most, before - 1);
      total -= before - lengthOf(most);
    }
  }

  function begin<Result>(
    identity: CommandIdentity,
    work: (signal: AbortSignal) => Promise<Result>,
    outputLengthOf: (result: Result) => number,
  ): { entry: Entry; outcome: Promise<Result> } {
    const aborting = new AbortController();
    const outcome = work(aborting.signal);
    const entry: Entry = {
      ...{ identity, aborting, outcome, callers: 0, grace: undefined, ended: undefined },
    };
    const entries = sandboxes.get(identity.sandboxId) ?? new Map<string, Entry>();
    sandboxes.set(identity.sandboxId, entries.set(identity.key, entry));
    outcome.then(
      (result) => end(entry, outputLengthOf(result)),
      (error: unknown) => {
        if (hasBegun(error)) return end(entry, 0);
        clearTimeout(entry.grace);
        drop(entry);
      },
    );
    return { entry, outcome };
  }

  function join(entry: Entry, caller: AbortSignal | undefined): void {
    if (entry.ended !== undefined) return;
    clearTimeout(entry.grace);
    entry.callers += 1;
    const leave = () => {
      entry.callers -= 1;
      if (entry.callers > 0 || entry.ended !== undefined) return;
      entry.grace = setTimeout(() => entry.aborting.abort(), bounds.graceMilliseconds);
    };
    if (caller?.aborted === true) leave();
    else caller?.addEventListener("abort", leave, { once: true });
  }

  return {
    async run<Result>(
      identity: CommandIdentity,
      work: (signal: AbortSignal) => Promise<Result>,
      {
        caller,
        outputLengthOf = () => 0,
      }: { caller?: AbortSignal; outputLengthOf?: (result: Result) => number } = {},
    ) {
      const known = sandboxes.get(identity.sandboxId)?.get(identity.key);
      if (known === undefined) {
        const { entry, outcome } = begin(identity, work, outputLengthOf);
        join(entry, caller);
        return await outcome;
      }
      if (known.identity.fingerprint !== identity.fingerprint) throw keyReused(identity.key);
      join(known, caller);
      // The same fingerprint is that of the same route, whose results have one type.
      return (await known.outcome) as Result;
    },
  };
}

/** How much output these keep together. */
function lengthOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, { ended }) => sum + (ended?.outputLength ?? 0), 0);
}

/** Drops the output of the oldest of them until the rest is within the bound. */
function dropOutput(entries: readonly Entry[], lengthMax: number): void {
  let held = lengthOf(entries);
  for (const entry of entries) {
    if (held <= lengthMax) return;
    if (entry.ended === undefined || entry.ended.outputLength === 0) continue;
    held -= entry.ended.outputLength;
    entry.ended.outputLength = 0;
    entry.outcome = Promise.reject(outputDropped(entry.identity.key));
    entry.outcome.catch(() => undefined);
  }
}

/** Whether the command may have run although it failed. */
function hasBegun(error: unknown): boolean {
  return !(error instanceof WireError) || error.code === "outcome_unknown" || error.status === 500;
}

function keyReused(key: string): WireError {
  return new WireError(
    "idempotency_key_reused",
    `Idempotency key ${JSON.stringify(key)} was used for another command of this sandbox: use a new key for each command`,
  );
}

function outputDropped(key: string): WireError {
  return new WireError(
    "outcome_unknown",
    `The command with idempotency key ${JSON.stringify(key)} has ended, and its output is no longer kept. Redirect the output of a command that prints much to a file, and run it with a new key`,
  );
}
