import { and, eq, ne } from "drizzle-orm";
import type { Database } from "../database/database.ts";
import { apiKeys } from "../database/schema.ts";
import { hashApiKey } from "./api-key.ts";

type ApiKeyKind = (typeof apiKeys.$inferSelect)["kind"];

/** Keys by their hash. The one repository that starts without an org: it is where the org comes from. */
export function createApiKeyRepository(database: Database) {
  return {
    /** The org that the key opens, or `undefined`. */
    async findOrg(key: string): Promise<string | undefined> {
      const [row] = await database
        .select({ orgId: apiKeys.orgId })
        .from(apiKeys)
        .where(eq(apiKeys.sha256, hashApiKey(key)));
      return row?.orgId;
    },

    async add(orgId: string, kind: ApiKeyKind, key: string): Promise<void> {
      await database
        .insert(apiKeys)
        .values({ orgId, kind, sha256: hashApiKey(key) })
        .onConflictDoNothing();
    },

    async hasKind(orgId: string, kind: ApiKeyKind): Promise<boolean> {
      const rows = await database
        .select({ id: apiKeys.id })
        .from(apiKeys)
        .where(and(eq(apiKeys.orgId, orgId), eq(apiKeys.kind, kind)))
        .limit(1);
      return rows.length > 0;
    },

    /** Makes the given key the only preset one; without a key there is none after it. */
    async replacePreset(orgId: string, key: string | undefined): Promise<void> {
      const isPreset = and(eq(apiKeys.orgId, orgId), eq(apiKeys.kind, "preset"));
      if (key === undefined) {
        await database.delete(apiKeys).where(isPreset);
        return;
      }
      await database.delete(apiKeys).where(and(isPreset, ne(apiKeys.sha256, hashApiKey(key))));
      await this.add(orgId, "preset", key);
    },
  };
}
export type ApiKeyRepository = ReturnType<typeof createApiKeyRepository>;
