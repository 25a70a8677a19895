import { type EventContent, sandboxIdPattern } from "@opencomputer/protocol/api";
import { z } from "zod";
import { createBatchedLookup } from "../../database/batched-lookup.ts";
import type { Database } from "../../database/database.ts";
import {
  and,
  desc,
  eq,
  inArray,
  isNotNull,
  ne,
  or,
  type SQL,
  sql,
} from "../../database/query-builder.ts";
import {
  sandboxes,
  sandboxFormerSecrets,
  sandboxSecrets,
  sessionVersions,
} from "../../database/schema.ts";
import { recordEvents } from "../../events/record-event.ts";
import { keptStates, liveStates, type SandboxState } from "./sandbox-states.ts";
import type { BeginningTransition, noTransition } from "./transition-columns.ts";

export type SandboxRow = typeof sandboxes.$inferSelect;
export type NewSandboxRow = typeof sandboxes.$inferInsert;
export type SandboxSecretRow = typeof sandboxSecrets.$inferSelect;

const sessionVersionRowsSchema = z.object({
  rows: z.tuple([z.object({ version: z.int().min(1) })]),
});

/** The columns of a list. A row's variables and allowlist may have a megabyte, and no list returns them. */
const listedColumns = {
  id: sandboxes.id,
  templateId: sandboxes.templateId,
  state: sandboxes.state,
  cpuCount: sandboxes.cpuCount,
  memoryMB: sandboxes.memoryMB,
  idleTimeoutSeconds: sandboxes.idleTimeoutSeconds,
  metadata: sandboxes.metadata,
  tags: sandboxes.tags,
  fromCheckpointId: sandboxes.fromCheckpointId,
  startedAt: sandboxes.startedAt,
  lastActiveAt: sandboxes.lastActiveAt,
  stoppedAt: sandboxes.stoppedAt,
};

/** A sandbox as a list has it. */
export type ListedSandboxRow = Pick<SandboxRow, keyof typeof listedColumns>;

/** A row whose transition is the holder's, so that nobody else changes its state. */
export type HeldSandboxRow = SandboxRow & { transitionId: string };

/** Names a held sandbox, with the state that its holder gave it last and the loss that was recorded. */
export type HeldSandbox = Pick<
  HeldSandboxRow,
  "id" | "orgId" | "state" | "transitionId" | "memoryLost"
>;

/** The columns of a sandbox that change during its life. */
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

/** Stores sandboxes by org. */
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

  /** Changes the row that meets a condition, if one does, and records events of a user's sandbox. */
  async function updateRow(
    transaction: Database,
    condition: SQL | undefined,
    changes: SandboxChanges,
    events: readonly EventContent[],
  ): Promise<boolean> {
    const [row] = await transaction
      .update(sandboxes)
      .set(changes)
      .where(condition)
      .returning({ id: sandboxes.id, orgId: sandboxes.orgId, purpose: sandboxes.purpose });
    if (row?.purpose === "user") {
      const { orgId, id: sandboxId } = row;
      await recordEvents(
        transaction,
        events.map((event) => ({ orgId, sandboxId, ...event })),
      );
    }
    return row !== undefined;
  }

  /** As {@link updateRow}, in a transaction of its own where there is anything to record. */
  function updateAlone(
    condition: SQL | undefined,
    changes: SandboxChanges,
    events: readonly EventContent[],
  ): Promise<boolean> {
    if (events.length === 0) return updateRow(database, condition, changes, events);
    return database.transaction((transaction) =>
      updateRow(transaction, condition, changes, events),
    );
  }

  const isHeldAs = ({ orgId, id, state, transitionId }: HeldSandbox) =>
    and(ofOrg(orgId, id), eq(sandboxes.state, state), eq(sandboxes.transitionId, transitionId));

  return {
    async insert(
      transaction: Database,
      row: Omit<NewSandboxRow, "transitionDeadlineAt"> & Partial<BeginningTransition>,
      secrets: SandboxSecretRow[],
    ): Promise<void> {
      await transaction.insert(sandboxes).values(row);
      if (secrets.length > 0) await transaction.insert(sandboxSecrets).values(secrets);
    },

    /** Counts the org's sandboxes, or those of one key, that have or may have a machine. */
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

    /** Counts the sandboxes of the org, running and hibernated. */
    async countKept(transaction: Database, orgId: string): Promise<number> {
      return transaction.$count(
        sandboxes,
        and(eq(sandboxes.orgId, orgId), inArray(sandboxes.state, keptStates)),
      );
    },

    async find(orgId: string, id: string): Promise<SandboxRow | undefined> {
      return sandboxIdPattern.test(id) ? lookUp({ orgId, id }) : undefined;
    },

    async list(orgId: string, states: SandboxState[]): Promise<ListedSandboxRow[]> {
      return database
        .select(listedColumns)
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

    /** Changes a row that is in one of the states `from`, and records events of that; returns whether it was. */
    change: (
      orgId: string,
      id: string,
      from: SandboxState[],
      changes: SandboxChanges,
      events: readonly EventContent[] = [],
    ): Promise<boolean> =>
      updateAlone(and(ofOrg(orgId, id), inArray(sandboxes.state, from)), changes, events),

    /**
     * Changes a row that has the state and the transition of `held`, and records
     * events of that. With `noTransition` it ends the transition. Returns whether the
     * row had both.
     */
    changeHeld: (
      held: HeldSandbox,
      changes: SandboxChanges | (SandboxChanges & typeof noTransition),
      {
        events = [],
        transaction,
      }: { events?: readonly EventContent[]; transaction?: Database } = {},
    ): Promise<boolean> =>
      transaction === undefined
        ? updateAlone(isHeldAs(held), changes, events)
        : updateRow(transaction, isHeldAs(held), changes, events),

    /**
     * Stores the slot that the worker gave a held sandbox. A sandbox that had the
     * address before has lost its machine, even if nobody has noticed: it no longer
     * has the address, so no hand-over of its session claims it again.
     *
     * @returns whether the sandbox is still held.
     */
    giveSlot: (
      held: HeldSandbox,
      slot: Pick<SandboxRow, "sourceAddress" | "machineId">,
    ): Promise<boolean> =>
      database.transaction(async (transaction) => {
        if (!(await updateRow(transaction, isHeldAs(held), slot, []))) return false;
        if (slot.sourceAddress === null) return true;
        await transaction
          .update(sandboxes)
          .set({ sourceAddress: null, machineId: null })
          .where(
            and(
              inArray(sandboxes.state, liveStates),
              eq(sandboxes.sourceAddress, slot.sourceAddress),
              ne(sandboxes.id, held.id),
            ),
          );
        return true;
      }),

    /**
     * Gives a hand-over of the session its version. What is read after it is not
     * older than what any hand-over with a lower version has, and of two sandboxes that
     * had one address the later one has the higher version.
     *
     * @returns the row; undefined when the sandbox was removed or has no slot.
     */
    async countHandOver(orgId: string, id: string): Promise<SandboxRow | undefined> {
      const [row] = await database
        .update(sandboxes)
        .set({ sessionVersion: sql`nextval(${sessionVersions.seqName})` })
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

    /**
     * A version for the end of a session: higher than that of each hand-over that was
     * counted before, and lower than that of each later one.
     */
    async nextSessionVersion(): Promise<number> {
      const result = await database.execute(
        sql`select nextval(${sessionVersions.seqName})::float8 as version`,
      );
      return sessionVersionRowsSchema.parse(result).rows[0].version;
    },

    /** Stores that the proxy enforces a revocation, unless there was a later one. */
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

    /** Deletes the sandbox's copies of secrets and every former value. */
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
