import { limits, WireError } from "@opencomputer/protocol/api";
import type { PreviewHost } from "@opencomputer/protocol/wire";
import { createBatchedLookup } from "../database/batched-lookup.ts";
import type { Database } from "../database/database.ts";
import { isUniqueViolation } from "../database/database.ts";
import { and, asc, desc, eq, gt, inArray, lt, or } from "../database/query-builder.ts";
import { previewLinks, previews, sandboxes } from "../database/schema.ts";
import type { OrgTransactions } from "../orgs/org-repository.ts";
import { presentStates } from "../sandboxes/rows/sandbox-states.ts";

export type PreviewRow = typeof previews.$inferSelect;

/** A preview with what a request for it needs to know of its sandbox. */
export type OpenPreview = Pick<
  PreviewRow,
  "id" | "orgId" | "sandboxId" | "port" | "customHostname"
> &
  Pick<typeof sandboxes.$inferSelect, "state" | "machineId" | "previewTokenHash">;

/** What a caller wants of a preview; what is undefined stays as it is. */
export interface PreviewChanges {
  customHostname: string | undefined;
  authConfig: Record<string, unknown> | undefined;
}

/** Previews by org, and by the host names that visitors send. */
export function createPreviewRepository(database: Database, orgTransactions: OrgTransactions) {
  const ofSandbox = (orgId: string, sandboxId: string) =>
    and(eq(previews.orgId, orgId), eq(previews.sandboxId, sandboxId));

  async function loadOpen(where: ReturnType<typeof or>): Promise<OpenPreview[]> {
    return database
      .select({
        id: previews.id,
        orgId: previews.orgId,
        sandboxId: previews.sandboxId,
        port: previews.port,
        customHostname: previews.customHostname,
        state: sandboxes.state,
        machineId: sandboxes.machineId,
        previewTokenHash: sandboxes.previewTokenHash,
      })
      .from(previews)
      .innerJoin(sandboxes, eq(previews.sandboxId, sandboxes.id))
      .where(and(where, eq(sandboxes.purpose, "user"), inArray(sandboxes.state, presentStates)));
  }

  // Each request for a preview begins with one of these lookups.
  const nameOf = ({ sandboxId, port }: PreviewHost) => `${sandboxId} ${port}`;
  const findByPort = createBatchedLookup<PreviewHost, OpenPreview>({
    nameOf,
    load: async (keys) => {
      const isAny = or(
        ...keys.map(({ sandboxId, port }) =>
          and(eq(previews.sandboxId, sandboxId), eq(previews.port, port)),
        ),
      );
      return new Map((await loadOpen(isAny)).map((row) => [nameOf(row), row]));
    },
  });
  const findByCustomHostname = createBatchedLookup<string, OpenPreview>({
    nameOf: (host) => host,
    load: async (hosts) =>
      new Map(
        (await loadOpen(inArray(previews.customHostname, hosts))).map((row) => [
          row.customHostname ?? "",
          row,
        ]),
      ),
  });

  return {
    /** The preview of a sandbox that runs or is hibernated, of any org. */
    findByPort,
    findByCustomHostname,

    async find(orgId: string, sandboxId: string, port: number): Promise<PreviewRow | undefined> {
      const isIt = and(ofSandbox(orgId, sandboxId), eq(previews.port, port));
      const [row] = await database.select().from(previews).where(isIt);
      return row;
    },

    async list(orgId: string, sandboxId: string): Promise<PreviewRow[]> {
      return database
        .select()
        .from(previews)
        .where(ofSandbox(orgId, sandboxId))
        .orderBy(asc(previews.port));
    },

    /**
     * Creates the preview, or changes the one that exists.
     *
     * @throws {WireError} `limit_exceeded`; `name_in_use` for a custom host name of another
     * preview; `sandbox_not_running` when the sandbox was killed meanwhile.
     */
    async put(
      orgId: string,
      { sandboxId, port }: PreviewHost,
      { customHostname, authConfig }: PreviewChanges,
    ): Promise<{ row: PreviewRow; isNew: boolean }> {
      try {
        return await orgTransactions.run(orgId, async (transaction) => {
          await assertNotKilled(transaction, orgId, sandboxId);
          const isIt = and(ofSandbox(orgId, sandboxId), eq(previews.port, port));
          const [present] = await transaction.select().from(previews).where(isIt);
          if (present !== undefined) {
            const changes = {
              customHostname: customHostname ?? present.customHostname,
              authConfig: authConfig ?? present.authConfig,
            };
            await transaction.update(previews).set(changes).where(isIt);
            return { row: { ...present, ...changes }, isNew: false };
          }
          await assertRoom(transaction, ofSandbox(orgId, sandboxId), sandboxId);
          const [row] = await transaction
            .insert(previews)
            .values({ orgId, sandboxId, port, customHostname, authConfig: authConfig ?? {} })
            .returning();
          if (row === undefined) throw new Error("The insert of a preview returned no row");
          return { row, isNew: true };
        });
      } catch (error) {
        if (!isUniqueViolation(error)) throw error;
        throw new WireError(
          "name_in_use",
          `domain: ${customHostname} is the name of another preview of this installation: delete that preview first`,
        );
      }
    },

    /** Returns whether there was one. */
    async delete(orgId: string, sandboxId: string, port: number): Promise<boolean> {
      const isIt = and(ofSandbox(orgId, sandboxId), eq(previews.port, port));
      const rows = await database.delete(previews).where(isIt).returning({ id: previews.id });
      return rows.length > 0;
    },

    async deleteAll(orgId: string, sandboxId: string): Promise<void> {
      await database.delete(previews).where(ofSandbox(orgId, sandboxId));
    },

    async setTokenHash(orgId: string, sandboxId: string, tokenHash: string): Promise<boolean> {
      const rows = await database
        .update(sandboxes)
        .set({ previewTokenHash: tokenHash })
        .where(
          and(
            eq(sandboxes.orgId, orgId),
            eq(sandboxes.id, sandboxId),
            inArray(sandboxes.state, presentStates),
          ),
        )
        .returning({ id: sandboxes.id });
      return rows.length > 0;
    },

    /** Stores a link by the hash of its code; of too many, the oldest are deleted. */
    async insertLink(link: typeof previewLinks.$inferInsert): Promise<void> {
      const ofPreview = eq(previewLinks.previewId, link.previewId);
      await database.transaction(async (transaction) => {
        await transaction.insert(previewLinks).values(link);
        const kept = transaction
          .select({ codeHash: previewLinks.codeHash })
          .from(previewLinks)
          .where(ofPreview)
          .orderBy(desc(previewLinks.expiresAt))
          .offset(limits.previewLinksPerPreviewMax);
        await transaction
          .delete(previewLinks)
          .where(or(inArray(previewLinks.codeHash, kept), lt(previewLinks.expiresAt, new Date())));
      });
    },

    /** Uses a link up; returns whether it existed and had not expired. */
    async takeLink(previewId: string, codeHash: string, now: Date): Promise<boolean> {
      const rows = await database
        .delete(previewLinks)
        .where(
          and(
            eq(previewLinks.previewId, previewId),
            eq(previewLinks.codeHash, codeHash),
            gt(previewLinks.expiresAt, now),
          ),
        )
        .returning({ codeHash: previewLinks.codeHash });
      return rows.length > 0;
    },

    /** Makes every link of a sandbox worthless, as when its token is rotated. */
    async deleteLinks(orgId: string, sandboxId: string): Promise<void> {
      const owned = database
        .select({ id: previews.id })
        .from(previews)
        .where(ofSandbox(orgId, sandboxId));
      await database.delete(previewLinks).where(inArray(previewLinks.previewId, owned));
    },
  };
}
export type PreviewRepository = ReturnType<typeof createPreviewRepository>;

/** A kill that begins meanwhile waits, and then deletes the preview with the others. */
async function assertNotKilled(
  transaction: Database,
  orgId: string,
  sandboxId: string,
): Promise<void> {
  const { id, state } = sandboxes;
  const rows = await transaction
    .select({ id })
    .from(sandboxes)
    .where(and(eq(sandboxes.orgId, orgId), eq(id, sandboxId), inArray(state, presentStates)))
    .for("share");
  if (rows.length > 0) return;
  throw new WireError("sandbox_not_running", `Sandbox ${sandboxId} is stopped`, {
    remediation: "oc create",
  });
}

async function assertRoom(
  transaction: Database,
  isOfSandbox: ReturnType<typeof and>,
  sandboxId: string,
): Promise<void> {
  const max = limits.previewsPerSandboxMax;
  if ((await transaction.$count(previews, isOfSandbox)) < max) return;
  throw new WireError(
    "limit_exceeded",
    `Preview limit reached: sandbox ${sandboxId} has ${max} of ${max}. Delete one first`,
    { remediation: `oc preview delete ${sandboxId} <port>` },
  );
}
