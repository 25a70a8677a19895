import type { SandboxSize } from "@opencomputer/protocol/wire";
import type { Database } from "../../database/database.ts";
import { and, asc, count, eq, inArray, isNotNull, lt, sql } from "../../database/query-builder.ts";
import { sandboxes } from "../../database/schema.ts";
import type { SandboxRow } from "./sandbox-repository.ts";
import { type SandboxState, sessionStates } from "./sandbox-states.ts";

/** A sandbox as maintenance across orgs reads it: with the org that owns it. */
export type OwnedSandbox = Pick<
  SandboxRow,
  "id" | "orgId" | "state" | "sourceAddress" | "machineId"
>;

export type IdleSandbox = OwnedSandbox &
  Pick<SandboxRow, "lastActiveAt" | "idleTimeoutSeconds" | "idle">;
/** An owned sandbox with its size, as stored, and whether a control plane holds it. */
export type SizedSandbox = OwnedSandbox &
  Pick<SandboxRow, "memoryMB" | "scaling"> & { isHeld: boolean };

/**
 * Reads and changes sandboxes across orgs, for maintenance: reconciling with the
 * worker, refilling the proxy, sweeping. No request of a caller reaches it.
 */
export function createSandboxMaintenanceRepository(database: Database) {
  const owned = {
    id: sandboxes.id,
    orgId: sandboxes.orgId,
    state: sandboxes.state,
    sourceAddress: sandboxes.sourceAddress,
    machineId: sandboxes.machineId,
    memoryMB: sandboxes.memoryMB,
    scaling: sandboxes.scaling,
    isHeld: sql<boolean>`coalesce(${sandboxes.transitionDeadlineAt} > now(), false)`,
  };

  return {
    async listOwned(states: SandboxState[]): Promise<SizedSandbox[]> {
      return database.select(owned).from(sandboxes).where(inArray(sandboxes.state, states));
    },

    /** Counts the sandboxes of all orgs; a state that none is in may be absent. */
    async countByState(): Promise<Map<SandboxState, number>> {
      const rows = await database
        .select({ state: sandboxes.state, count: count() })
        .from(sandboxes)
        .groupBy(sandboxes.state);
      return new Map(rows.map((row) => [row.state, row.count]));
    },

    /** Lists sandboxes with a session that has to enforce a revocation and may not do so yet. */
    async listPendingRevocations(): Promise<OwnedSandbox[]> {
      return database
        .select(owned)
        .from(sandboxes)
        .where(
          and(isNotNull(sandboxes.pendingRevocation), inArray(sandboxes.state, sessionStates)),
        );
    },

    /** Returns which of the sandboxes were stopped: the worker deletes what it still has of them. */
    async whichStopped(ids: readonly string[]): Promise<Set<string>> {
      if (ids.length === 0) return new Set();
      const rows = await database
        .select({ id: sandboxes.id })
        .from(sandboxes)
        .where(and(inArray(sandboxes.id, [...ids]), eq(sandboxes.state, "stopped")));
      return new Set(rows.map(({ id }) => id));
    },

    /** Lists the sandboxes that images are built in, whatever their state. */
    async listBuilders(): Promise<OwnedSandbox[]> {
      return database.select(owned).from(sandboxes).where(eq(sandboxes.purpose, "builder"));
    },

    /** Lists running sandboxes whose idle time-out has passed, as far as the database knows. */
    async listIdle(now: Date): Promise<IdleSandbox[]> {
      return database
        .select({
          ...owned,
          lastActiveAt: sandboxes.lastActiveAt,
          idleTimeoutSeconds: sandboxes.idleTimeoutSeconds,
          idle: sandboxes.idle,
        })
        .from(sandboxes)
        .where(
          and(
            eq(sandboxes.state, "running"),
            sql`${sandboxes.idleTimeoutSeconds} > 0`,
            sql`${sandboxes.lastActiveAt} + make_interval(secs => ${sandboxes.idleTimeoutSeconds}) <= ${now.toISOString()}::timestamptz`,
          ),
        )
        .orderBy(asc(sandboxes.lastActiveAt));
    },

    /** Stores a size that the worker reports, unless another was stored since `from` was read. */
    async setSize(from: SizedSandbox, size: SandboxSize): Promise<void> {
      await database
        .update(sandboxes)
        .set(size)
        .where(
          and(
            eq(sandboxes.orgId, from.orgId),
            eq(sandboxes.id, from.id),
            eq(sandboxes.memoryMB, from.memoryMB),
            sql`${sandboxes.scaling} is not distinct from ${
              from.scaling === null ? null : JSON.stringify(from.scaling)
            }::jsonb`,
          ),
        );
    },

    async touch(id: string, at: Date): Promise<void> {
      await database
        .update(sandboxes)
        .set({ lastActiveAt: at })
        .where(
          and(eq(sandboxes.id, id), eq(sandboxes.state, "running"), lt(sandboxes.lastActiveAt, at)),
        );
    },

    async deleteStoppedBefore(time: Date): Promise<void> {
      await database
        .delete(sandboxes)
        .where(and(eq(sandboxes.state, "stopped"), lt(sandboxes.stoppedAt, time)));
    },
  };
}
export type SandboxMaintenanceRepository = ReturnType<typeof createSandboxMaintenanceRepository>;
