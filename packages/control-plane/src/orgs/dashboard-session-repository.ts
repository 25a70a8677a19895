import { createHash, randomBytes } from "node:crypto";
import { type DashboardSession, limits } from "@opencomputer/protocol/api";
import type { Database } from "../database/database.ts";
import { and, desc, eq, gt, inArray, isNull, lte } from "../database/query-builder.ts";
import { apiKeys, dashboardSessions } from "../database/schema.ts";

/** A session with the org that its key opens. */
export interface OpenDashboardSession extends DashboardSession {
  orgId: string;
  /** SHA-256 of its cookie's value, hexadecimal. */
  sha256: string;
}

/** Bytes of a session's value, which are random: too many to guess. */
const valueBytes = 32;

/**
 * Stores the sessions of the dashboard by the hash of their cookie's value. A
 * session opens nothing once it has expired, or its key was revoked by any process.
 */
export function createDashboardSessionRepository(database: Database, now: () => number) {
  const isLive = () =>
    and(gt(dashboardSessions.expiresAt, new Date(now())), isNull(apiKeys.revokedAt));

  return {
    /**
     * Starts a session of a key, and returns the cookie's value this once.
     * Expired sessions are deleted; of too many of one key, the oldest end.
     */
    async start(apiKeyId: string): Promise<{ value: string; expiresAt: Date }> {
      const value = randomBytes(valueBytes).toString("base64url");
      const createdAt = new Date(now());
      const expiresAt = new Date(now() + limits.dashboardSessionSecondsMax * 1000);
      await database.transaction(async (transaction) => {
        await transaction
          .delete(dashboardSessions)
          .where(lte(dashboardSessions.expiresAt, createdAt));
        const row = { sha256: hashOf(value), apiKeyId, createdAt, expiresAt };
        await transaction.insert(dashboardSessions).values(row);
        const excess = transaction
          .select({ sha256: dashboardSessions.sha256 })
          .from(dashboardSessions)
          .where(eq(dashboardSessions.apiKeyId, apiKeyId))
          .orderBy(desc(dashboardSessions.createdAt), desc(dashboardSessions.sha256))
          .offset(limits.dashboardSessionsPerKeyMax);
        await transaction
          .delete(dashboardSessions)
          .where(inArray(dashboardSessions.sha256, excess));
      });
      return { value, expiresAt };
    },

    /** Finds the session of a cookie's value. */
    async find(value: string): Promise<OpenDashboardSession | undefined> {
      const [row] = await database
        .select({
          keyId: apiKeys.id,
          keyName: apiKeys.name,
          keyPrefix: apiKeys.prefix,
          orgId: apiKeys.orgId,
          expiresAt: dashboardSessions.expiresAt,
          sha256: dashboardSessions.sha256,
        })
        .from(dashboardSessions)
        .innerJoin(apiKeys, eq(apiKeys.id, dashboardSessions.apiKeyId))
        .where(and(eq(dashboardSessions.sha256, hashOf(value)), isLive()));
      return row === undefined ? undefined : { ...row, expiresAt: row.expiresAt.toISOString() };
    },

    /** Returns those of the sessions, by their hashes, that still open something. */
    async listLive(hashes: readonly string[]): Promise<string[]> {
      const rows = await database
        .select({ sha256: dashboardSessions.sha256 })
        .from(dashboardSessions)
        .innerJoin(apiKeys, eq(apiKeys.id, dashboardSessions.apiKeyId))
        .where(and(inArray(dashboardSessions.sha256, [...hashes]), isLive()));
      return rows.map(({ sha256 }) => sha256);
    },

    /** Ends the session of a cookie's value, if there is one. */
    async end(value: string): Promise<void> {
      await database.delete(dashboardSessions).where(eq(dashboardSessions.sha256, hashOf(value)));
    },
  };
}
export type DashboardSessionRepository = ReturnType<typeof createDashboardSessionRepository>;

function hashOf(value: string): string {
  return createHash("sha256").update(value, "utf8").digest("hex");
}
