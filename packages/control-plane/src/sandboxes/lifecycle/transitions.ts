import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { runOutsideTraces } from "@opencomputer/process";
import type { Logger } from "pino";
import { PerKeyMutex } from "../../concurrency/per-key-mutex.ts";
import type { HeldSandboxRow, SandboxRepository } from "../rows/sandbox-repository.ts";
import { presentStates } from "../rows/sandbox-states.ts";
import { type BeginningTransition, beginningTransition } from "../rows/transition-columns.ts";
import type { TransitionRepository } from "../rows/transition-repository.ts";

/** A third of the time after which another control plane may take a transition over. */
const renewMilliseconds = 10_000;
const firstWaitMilliseconds = 10;
const waitMillisecondsMax = 500;

/**
 * The transitions of this control plane. A sandbox has at most one, stored in its
 * row with its owner and a deadline, which the owner moves while it works. Once the
 * deadline has passed, another control plane may take the sandbox over; then no change
 * that the former owner makes to the row has an effect.
 */
export interface Transitions {
  /**
   * Does work while the sandbox is in a transition of its own, and waits for the one
   * that it is in. Resolves with undefined, without the work, when the sandbox is
   * absent or not one that its owner can use.
   */
  hold<Result>(
    orgId: string,
    sandboxId: string,
    work: (row: HeldSandboxRow) => Promise<Result>,
  ): Promise<{ result: Result } | undefined>;
  /** Does work that inserts the row of a sandbox with these columns, and ends their transition itself. */
  holdNew<Result>(
    sandboxId: string,
    work: (columns: BeginningTransition) => Promise<Result>,
  ): Promise<Result>;
  /** Whether this control plane holds the sandbox or waits for it. */
  isHeld(sandboxId: string): boolean;
  /** Ends the transitions of earlier processes of the same data directory, whose lock proves that they have ended. */
  endFormer(): Promise<void>;
}

export function createTransitions(deps: {
  transitions: TransitionRepository;
  sandboxes: Pick<SandboxRepository, "find">;
  /** The name of this control plane's data directory. */
  home: string;
  logger: Logger;
}): Transitions {
  const { transitions, sandboxes, home, logger } = deps;
  const owner = `${home}/${randomUUID()}`;
  // Callers of this process queue here instead of polling the row. The row decides.
  const mutex = new PerKeyMutex();
  const held = new Set<string>();
  let renewal: NodeJS.Timeout | undefined;

  function keep(sandboxId: string): void {
    held.add(sandboxId);
    // It outlives the request.
    renewal ??= runOutsideTraces(() => setInterval(renew, renewMilliseconds).unref());
  }

  function letGo(sandboxId: string): void {
    held.delete(sandboxId);
    if (held.size > 0) return;
    clearInterval(renewal);
    renewal = undefined;
  }

  function renew(): void {
    transitions.renew(owner, [...held]).catch((error: unknown) => {
      logger.warn({ err: error }, "transitions were not renewed; the next attempt may be in time");
    });
  }

  /** Polls the row while the sandbox is in a transition of another control plane. */
  async function begin(orgId: string, sandboxId: string): Promise<HeldSandboxRow | undefined> {
    const id = randomUUID();
    for (let wait = firstWaitMilliseconds; ; wait = Math.min(2 * wait, waitMillisecondsMax)) {
      const row = await transitions.begin(orgId, sandboxId, { id, owner });
      if (row !== undefined) return row;
      const found = await sandboxes.find(orgId, sandboxId);
      if (found === undefined || !presentStates.includes(found.state)) return undefined;
      await delay(wait);
    }
  }

  /** A transition that is not ended here ends at its deadline. */
  async function end(row: HeldSandboxRow): Promise<void> {
    try {
      await transitions.end(row.transitionId, row);
    } catch (error) {
      logger.warn({ sandboxId: row.id, err: error }, "a transition ends at its deadline");
    }
  }

  return {
    hold: (orgId, sandboxId, work) =>
      mutex.run(sandboxId, async () => {
        const row = await begin(orgId, sandboxId);
        if (row === undefined) return undefined;
        keep(sandboxId);
        try {
          return { result: await work(row) };
        } finally {
          letGo(sandboxId);
          await end(row);
        }
      }),

    async holdNew(sandboxId, work) {
      keep(sandboxId);
      try {
        return await work(beginningTransition(randomUUID(), owner));
      } finally {
        letGo(sandboxId);
      }
    },

    isHeld: (sandboxId) => mutex.isHeld(sandboxId),

    endFormer: () => transitions.endAllOf(`${home}/`),
  };
}
