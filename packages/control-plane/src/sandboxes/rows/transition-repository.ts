import type { Database } from "../../database/database.ts";
import { and, eq, inArray, isNull, like, lte, or, sql } from "../../database/query-builder.ts";
import { sandboxes } from "../../database/schema.ts";
import type { HeldSandboxRow } from "./sandbox-repository.ts";
import { presentStates } from "./sandbox-states.ts";
import { beginningTransition, noTransition, transitionDeadline } from "./transition-columns.ts";

/**
 * Stores which control plane may change the state of which sandbox, and until
 * when. PostgreSQL's clock decides, so those of the control planes need not agree.
 */
export function createTransitionRepository(database: Database) {
  return {
    /**
     * Begins a transition and returns the row; undefined when the sandbox is
     * absent, is not one that its owner can use, or is in the transition of another.
     */
    async begin(
      orgId: string,
      sandboxId: string,
      transition: { id: string; owner: string },
    ): Promise<HeldSandboxRow | undefined> {
      const [row] = await database
        .update(sandboxes)
        .set(beginningTransition(transition.id, transition.owner))
        .where(
          and(
            eq(sandboxes.orgId, orgId),
            eq(sandboxes.id, sandboxId),
            inArray(sandboxes.state, presentStates),
            or(
              isNull(sandboxes.transitionDeadlineAt),
              lte(sandboxes.transitionDeadlineAt, sql`now()`),
            ),
          ),
        )
        .returning();
      return row === undefined ? undefined : { ...row, transitionId: transition.id };
    },

    /** Moves the deadlines of transitions that are still the owner's. */
    async renew(owner: string, sandboxIds: readonly string[]): Promise<void> {
      await database
        .update(sandboxes)
        .set({ transitionDeadlineAt: transitionDeadline })
        .where(and(inArray(sandboxes.id, [...sandboxIds]), eq(sandboxes.transitionOwner, owner)));
    },

    /** Ends a transition, unless another one has replaced it. */
    async end(transitionId: string, { orgId, id }: { orgId: string; id: string }): Promise<void> {
      await database
        .update(sandboxes)
        .set(noTransition)
        .where(
          and(
            eq(sandboxes.orgId, orgId),
            eq(sandboxes.id, id),
            eq(sandboxes.transitionId, transitionId),
          ),
        );
    },

    /** Ends the transitions of every owner whose name begins so. */
    async endAllOf(ownerPrefix: string): Promise<void> {
      await database
        .update(sandboxes)
        .set(noTransition)
        .where(like(sandboxes.transitionOwner, `${ownerPrefix}%`));
    },
  };
}
export type TransitionRepository = ReturnType<typeof createTransitionRepository>;
