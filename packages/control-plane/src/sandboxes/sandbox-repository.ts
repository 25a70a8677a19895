import { type SandboxSize, sandboxIdPattern } from "@opencomputer/protocol";
import { and, asc, desc, eq, inArray, isNotNull, lt, or, sql } from "drizzle-orm";
import { createBatchedLookup } from "../database/batched-lookup.ts";
import type { Database } from "../database/database.ts";
import { sandboxes, sandboxFormerSecrets, sandboxSecrets } from "../database/schema.ts";
import { keptStates, liveStates, type SandboxState, sessionStates } from "./sandbox-states.ts";

export type SandboxRow = typeof sandboxes.$inferSelect;
export type NewSandboxRow = typeof sandboxes.$inferInsert;
export type SandboxSecretRow = typeof sandboxSecrets.$inferSelect;

/** What of a sandbox changes during its life. */
export type SandboxChanges = Partial<
  Pick<
    SandboxRow,
    | "state"
    | "sourceAddress"
    | "machineId"
    | "startedAt"
    | "lastActiveAt"
    | "stoppedAt"
    | "idleTimeoutSeconds"
    | "patchError"
    | "appliedPatchIds"
    | "hookError"
    | "memoryLost"
    | "hibernatedBytes"
    | "memoryMB"
    | "scaling"
  >
>;

/** A sandbox as the installation's own upkeep sees it: with the org that owns it. */
export type OwnedSandbox = Pick<
  SandboxRow,
  "id" | "orgId" | "state" | "sourceAddress" | "machineId"
>;

export type IdleSandbox = OwnedSandbox &
  Pick<SandboxRow, "lastActiveAt" | "idleTimeoutSeconds" | "idle">;
/** With its size, as the row has it. */
export type SizedSandbox = OwnedSandbox & Pick<SandboxRow, "memoryMB" | "scaling">;

/** Sandboxes by org. */
export function createSandboxRepository(database: Database) {
  const ofOrg = (orgId: string, id: string) =>
    and(eq(sandboxes.orgId, orgId), eq(sandboxes.id, id));
  const nameOf = ({ orgId, id }: Pick<SandboxRow, "orgId" | "id">) => `${orgId} ${id}`;
  // Nearly every request begins with this lookup.
  const lookUp = createBatchedLookup({
    nameOf,
    load: async (keys: Pick<SandboxRow, "orgId" | "id">[]) => {
      const isAny = or(...keys.map(({ orgId, id }) => ofOrg(orgId, id)));
      const rows = await database.select().from(sandboxes).where(isAny);
      return new Map(rows.map((row) => [nameOf(row), row]));
    },
  });

  return {
    async insert(
      transaction: Database,
      row: NewSandboxRow,
      secrets: SandboxSecretRow[],
    ): Promise<void> {
      await transaction.insert(sandboxes).values(row);
      if (secrets.length > 0) await transaction.insert(sandboxSecrets).values(secrets);
    },

    /** How many of the org's sandboxes, or of those of one key, have or may have a machine. */
    async countLive(transaction: Database, orgId: string, apiKeyId?: string): Promise<number> {
      return transaction.$count(
        sandboxes,
        and(
          eq(sandboxes.orgId, orgId),
          eq(sandboxes.purpose, "user"),
          inArray(sandboxes.state, liveStates),
          apiKeyId === undefined ? undefined : eq(sandboxes.apiKeyId, apiKeyId),
        ),
      );
    },

    /** How many sandboxes the org has, running and hibernated. */
    async countKept(transaction: Database, orgId: string): Promise<number> {
      return transaction.$count(
        sandboxes,
        and(eq(sandboxes.orgId, orgId), inArray(sandboxes.state, keptStates)),
      );
    },

    async find(orgId: string, id: string): Promise<SandboxRow | undefined> {
      return sandboxIdPattern.test(id) ? lookUp({ orgId, id }) : undefined;
    },

    async list(orgId: string, states: SandboxState[]): Promise<SandboxRow[]> {
      return database
        .select()
        .from(sandboxes)
        .where(
          and(
            eq(sandboxes.orgId, orgId),
            eq(sandboxes.purpose, "user"),
            inArray(sandboxes.state, states),
          ),
        )
        .orderBy(desc(sandboxes.startedAt));
    },

    /** Changes a row that is in one of the states `from`, and says whether it was. */
    async change(
      orgId: string,
      id: string,
      from: SandboxState[],
      changes: SandboxChanges,
      transaction: Database = database,
    ): Promise<boolean> {
      const rows = await transaction
        .update(sandboxes)
        .set(changes)
        .where(and(ofOrg(orgId, id), inArray(sandboxes.state, from)))
        .returning({ id: sandboxes.id });
      return rows.length > 0;
    },

    /**
     * Counts a hand-over of the session. What is read after it is not older
     * than what any hand-over with a lower version has.
     *
     * @returns the row; undefined when the sandbox no longer lives or has no slot.
     */
    async countHandOver(orgId: string, id: string): Promise<SandboxRow | undefined> {
      const [row] = await database
        .update(sandboxes)
        .set({ sessionVersion: sql`${sandboxes.sessionVersion} + 1` })
        .where(
          and(
            ofOrg(orgId, id),
            inArray(sandboxes.state, liveStates),
            isNotNull(sandboxes.sourceAddress),
            isNotNull(sandboxes.machineId),
          ),
        )
        .returning();
      return row;
    },

    /** Notes that the proxy enforces a revocation, unless there has been a later one. */
    async acknowledgeRevocation(orgId: string, id: string, revocation: string): Promise<void> {
      await database
        .update(sandboxes)
        .set({ pendingRevocation: null })
        .where(and(ofOrg(orgId, id), eq(sandboxes.pendingRevocation, revocation)));
    },

    async delete(orgId: string, id: string): Promise<void> {
      await database.delete(sandboxes).where(ofOrg(orgId, id));
    },

    async listSecrets(
      orgId: string,
      sandboxId: string,
      transaction: Database = database,
    ): Promise<SandboxSecretRow[]> {
      return transaction
        .select()
        .from(sandboxSecrets)
        .where(and(eq(sandboxSecrets.orgId, orgId), eq(sandboxSecrets.sandboxId, sandboxId)));
    },

    /** Deletes its copies and every former value. */
    async deleteSecrets(orgId: string, sandboxId: string): Promise<void> {
      for (const [table, owner] of [
        [sandboxSecrets, sandboxSecrets.sandboxId],
        [sandboxFormerSecrets, sandboxFormerSecrets.ownerId],
      ] as const) {
        await database.delete(table).where(and(eq(table.orgId, orgId), eq(owner, sandboxId)));
      }
    },
  };
}
export type SandboxRepository = ReturnType<typeof createSandboxRepository>;

/**
 * What the installation's own upkeep asks across orgs: reconciling with the
 * worker, refilling the proxy, sweeping. No request of a caller ends here.
 */
export function createSandboxUpkeepRepository(database: Database) {
  const owned = {
    id: sandboxes.id,
    orgId: sandboxes.orgId,
    state: sandboxes.state,
    sourceAddress: sandboxes.sourceAddress,
    machineId: sandboxes.machineId,
    memoryMB: sandboxes.memoryMB,
    scaling: sandboxes.scaling,
  };

  return {
    async listOwned(states: SandboxState[]): Promise<SizedSandbox[]> {
      return database.select(owned).from(sandboxes).where(inArray(sandboxes.state, states));
    },

    /** Sandboxes with a session that has to enforce a revocation and may not do so yet. */
    async listPendingRevocations(): Promise<OwnedSandbox[]> {
      return database
        .select(owned)
        .from(sandboxes)
        .where(
          and(isNotNull(sandboxes.pendingRevocation), inArray(sandboxes.state, sessionStates)),
        );
    },

    /** Which of the sandboxes were stopped: what the worker still has of them is to be deleted. */
    async whichStopped(ids: readonly string[]): Promise<Set<string>> {
      if (ids.length === 0) return new Set();
      const rows = await database
        .select({ id: sandboxes.id })
        .from(sandboxes)
        .where(and(inArray(sandboxes.id, [...ids]), eq(sandboxes.state, "stopped")));
      return new Set(rows.map(({ id }) => id));
    },

    /** Sandboxes that images are built in, whatever their state. */
    async listBuilders(): Promise<OwnedSandbox[]> {
      return database.select(owned).from(sandboxes).where(eq(sandboxes.purpose, "builder"));
    },

    /** Running sandboxes whose idle time-out has passed, as far as the database knows. */
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
export type SandboxUpkeepRepository = ReturnType<typeof createSandboxUpkeepRepository>;
