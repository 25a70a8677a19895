import { type SQL, sql } from "../../database/query-builder.ts";

/** How long a transition stays its owner's after it was last renewed. */
const transitionSeconds = 30;

/** The columns of a row that no transition may change. */
export const noTransition = {
  transitionId: null,
  transitionOwner: null,
  transitionDeadlineAt: null,
} as const;

/** The deadline of a transition that begins or is renewed now, by PostgreSQL's clock. */
export const transitionDeadline = sql`now() + make_interval(secs => ${transitionSeconds})`;

/** The columns of a transition that begins now. */
export interface BeginningTransition {
  readonly transitionId: string;
  readonly transitionOwner: string;
  readonly transitionDeadlineAt: SQL;
}

export function beginningTransition(transitionId: string, owner: string): BeginningTransition {
  return { transitionId, transitionOwner: owner, transitionDeadlineAt: transitionDeadline };
}
