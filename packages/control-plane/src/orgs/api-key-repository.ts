import { createHash, randomBytes } from "node:crypto";
import {
  type ApiKeyEntry,
  type CreatedApiKey,
  limits,
  WireError,
} from "@opencomputer/protocol/api";
import type { Database } from "../database/database.ts";
import { asUuid } from "../database/database.ts";
import { and, asc, eq, inArray, isNull, ne } from "../database/query-builder.ts";
import { apiKeys } from "../database/schema.ts";
import type { OrgTransactions } from "./org-repository.ts";

type ApiKeyKind = (typeof apiKeys.$inferSelect)["kind"];

/** A key's id and its org. */
export interface ApiKeyOwner {
  apiKeyId: string;
  orgId: string;
}

/** The time of a key's last use is stored at most this often. */
const useIntervalMilliseconds = 60_000;

/** Stores keys by their hash. The only repository that is not given an org: it finds the org of a key. */
export function createApiKeyRepository(database: Database, orgTransactions: OrgTransactions) {
  const isLive = isNull(apiKeys.revokedAt);
  const ofOrg = (orgId: string) => and(eq(apiKeys.orgId, orgId), isLive);

  return {
    /** Finds a key's id and the org that it opens, and stores the time of the use. */
    async find(key: string): Promise<ApiKeyOwner | undefined> {
      const [row] = await database
        .select({ id: apiKeys.id, orgId: apiKeys.orgId, lastUsedAt: apiKeys.lastUsedAt })
        .from(apiKeys)
        .where(and(eq(apiKeys.sha256, hashApiKey(key)), isLive));
      if (row === undefined) return undefined;
      const now = new Date();
      const lastUsed = row.lastUsedAt?.getTime() ?? 0;
      if (now.getTime() - lastUsed > useIntervalMilliseconds) {
        await database.update(apiKeys).set({ lastUsedAt: now }).where(eq(apiKeys.id, row.id));
      }
      return { apiKeyId: row.id, orgId: row.orgId };
    },

    /** Returns those of the keys that no process has revoked. */
    async listLive(ids: readonly string[]): Promise<string[]> {
      const rows = await database
        .select({ id: apiKeys.id })
        .from(apiKeys)
        .where(and(inArray(apiKeys.id, [...ids]), isLive));
      return rows.map(({ id }) => id);
    },

    /** Lists the org's keys, oldest first. */
    async list(orgId: string): Promise<ApiKeyEntry[]> {
      const rows = await database
        .select()
        .from(apiKeys)
        .where(ofOrg(orgId))
        .orderBy(asc(apiKeys.createdAt), asc(apiKeys.id));
      return rows.map(toEntry);
    },

    /**
     * Creates a key, which is returned this once.
     *
     * @throws {WireError} `limit_exceeded`
     */
    async create(orgId: string, name: string): Promise<CreatedApiKey> {
      return orgTransactions.run(orgId, async (transaction) => {
        if ((await transaction.$count(apiKeys, ofOrg(orgId))) >= limits.apiKeysPerOrgMax) {
          throw new WireError(
            "limit_exceeded",
            `API key limit reached: this org has ${limits.apiKeysPerOrgMax} keys, the maximum. Revoke one first`,
            { remediation: "oc key revoke <id>" },
          );
        }
        const key = mintApiKey();
        const [row] = await transaction
          .insert(apiKeys)
          .values({ orgId, kind: "created", name, ...storedForm(key) })
          .returning();
        if (row === undefined) throw new Error("An insert into api_keys returned no row");
        return { ...toEntry(row), key };
      });
    },

    /**
     * Revokes a key of the org.
     *
     * @throws {WireError} `not_found`, `last_api_key`, `preset_api_key`
     */
    async revoke(orgId: string, keyId: string): Promise<void> {
      const id = asUuid(keyId);
      if (id === undefined) throw keyNotFound(keyId);
      await orgTransactions.run(orgId, async (transaction) => {
        const isIt = and(ofOrg(orgId), eq(apiKeys.id, id));
        const [row] = await transaction.select().from(apiKeys).where(isIt);
        if (row === undefined) throw keyNotFound(keyId);
        if (row.kind === "preset") {
          throw new WireError(
            "preset_api_key",
            "This key is set by OPENCOMPUTER_API_KEY: change it there and restart",
            { remediation: "OPENCOMPUTER_API_KEY" },
          );
        }
        if ((await transaction.$count(apiKeys, ofOrg(orgId))) === 1) {
          throw new WireError(
            "last_api_key",
            "This is the last key of its org, which could not be used without one: create another one first",
            { remediation: "oc key create --name <name>" },
          );
        }
        if (row.kind === "initial") {
          await transaction.update(apiKeys).set({ revokedAt: new Date() }).where(isIt);
        } else {
          await transaction.delete(apiKeys).where(isIt);
        }
      });
    },

    async add(orgId: string, kind: ApiKeyKind, key: string): Promise<void> {
      await database
        .insert(apiKeys)
        .values({ orgId, kind, name: kind, ...storedForm(key) })
        .onConflictDoNothing();
    },

    /** Whether the org has a key of the kind that opens it. */
    async hasKind(orgId: string, kind: ApiKeyKind): Promise<boolean> {
      return (await database.$count(apiKeys, and(ofOrg(orgId), eq(apiKeys.kind, kind)))) > 0;
    },

    /** Whether any key opens the org. */
    async hasAny(orgId: string): Promise<boolean> {
      return (await database.$count(apiKeys, ofOrg(orgId))) > 0;
    },

    /** Whether the key has been revoked, as far as its row was kept. */
    async isRevoked(key: string): Promise<boolean> {
      const [row] = await database
        .select({ revokedAt: apiKeys.revokedAt })
        .from(apiKeys)
        .where(eq(apiKeys.sha256, hashApiKey(key)));
      return row !== undefined && row.revokedAt !== null;
    },

    /**
     * Makes the given key the only preset one; without a key, removes it. The
     * environment wins over an earlier revocation of that key.
     */
    async replacePreset(orgId: string, key: string | undefined): Promise<void> {
      const isPreset = and(eq(apiKeys.orgId, orgId), eq(apiKeys.kind, "preset"));
      if (key === undefined) {
        await database.delete(apiKeys).where(isPreset);
        return;
      }
      const sha256 = hashApiKey(key);
      await database.delete(apiKeys).where(and(isPreset, ne(apiKeys.sha256, sha256)));
      await this.add(orgId, "preset", key);
      await database
        .update(apiKeys)
        .set({ revokedAt: null })
        .where(and(eq(apiKeys.orgId, orgId), eq(apiKeys.sha256, sha256)));
    },
  };
}
export type ApiKeyRepository = ReturnType<typeof createApiKeyRepository>;

function storedForm(key: string) {
  return { sha256: hashApiKey(key), prefix: apiKeyPrefix(key) };
}

function keyNotFound(keyId: string): WireError {
  return new WireError("not_found", `API key not found: ${keyId}`);
}

function toEntry(row: typeof apiKeys.$inferSelect): ApiKeyEntry {
  return {
    id: row.id,
    name: row.name,
    prefix: row.prefix,
    createdAt: row.createdAt.toISOString(),
    ...(row.lastUsedAt === null ? {} : { lastUsedAt: row.lastUsedAt.toISOString() }),
  };
}

/** The caller of the API: an org, by one of its keys. */
export interface Caller {
  orgId: string;
  /** Null when the route was opened by something else than a key. */
  apiKeyId: string | null;
}

/** Makes a key: `osb_` and 64 hexadecimal digits, 256 bits that cannot be guessed. */
export function mintApiKey(): string {
  return `osb_${randomBytes(32).toString("hex")}`;
}

/** Returns the beginning of a key, to distinguish keys: 32 of its 256 random bits. */
function apiKeyPrefix(key: string): string {
  return key.slice(0, "osb_".length + 8);
}

/** Returns what is stored of a key. A plain hash is enough: the key has 256 random bits. */
export function hashApiKey(key: string): string {
  return createHash("sha256").update(key, "utf8").digest("hex");
}
