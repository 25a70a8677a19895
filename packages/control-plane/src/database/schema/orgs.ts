import { sql } from "../query-builder.ts";
import { check, createdAt, index, integer, pgTable, text, time, uuid } from "./columns.ts";

/** One row: what belongs to the installation as a whole. */
export const installations = pgTable(
  "installations",
  {
    singleton: integer("singleton").primaryKey().default(1),
    /** 8 hexadecimal digits, which people distinguish installations by. */
    shortId: text("short_id").notNull(),
    /** A known text, encrypted: decrypting it at start proves that the key is the right one. */
    encryptedCheck: text("check_sealed").notNull(),
    checkKeyVersion: text("check_key_version").notNull(),
    caCertificatePem: text("ca_certificate_pem").notNull(),
    encryptedCaKey: text("ca_key_sealed").notNull(),
    caKeyVersion: text("ca_key_version").notNull(),
    /** What tokens and signatures are derived from: it outlives the encryption key. Null until it is made. */
    encryptedSigningKey: text("signing_key_sealed"),
    signingKeyVersion: text("signing_key_version"),
    createdAt: createdAt(),
  },
  (table) => [check("installations_singleton", sql`${table.singleton} = 1`)],
);

export const orgs = pgTable("orgs", {
  id: uuid("id").primaryKey().defaultRandom(),
  name: text("name").notNull().unique(),
  createdAt: createdAt(),
});

export const orgId = () =>
  uuid("org_id")
    .notNull()
    .references(() => orgs.id, { onDelete: "cascade" });

/** `kind` is `preset` (from the environment), `initial` (made at first start) or `created`. */
export const apiKeys = pgTable(
  "api_keys",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    orgId: orgId(),
    kind: text("kind", { enum: ["preset", "initial", "created"] }).notNull(),
    name: text("name").notNull().default(""),
    /** The beginning of the key, for people; empty when it was not kept. */
    prefix: text("prefix").notNull().default(""),
    /** SHA-256 of the key, hexadecimal. The key itself is nowhere. */
    sha256: text("sha256").notNull().unique(),
    createdAt: createdAt(),
    lastUsedAt: time("last_used_at"),
    /** The initial key keeps its row, or the next start would take it from its file again. */
    revokedAt: time("revoked_at"),
  },
  (table) => [index("api_keys_org").on(table.orgId)],
);

/** Browsers that have signed in to the dashboard. A session ends with its key. */
export const dashboardSessions = pgTable(
  "dashboard_sessions",
  {
    /** SHA-256 of the cookie's value, hexadecimal. The value itself is nowhere. */
    sha256: text("sha256").primaryKey(),
    apiKeyId: uuid("api_key_id")
      .notNull()
      .references(() => apiKeys.id, { onDelete: "cascade" }),
    createdAt: createdAt(),
    expiresAt: time("expires_at").notNull(),
  },
  (table) => [
    index("dashboard_sessions_key").on(table.apiKeyId),
    index("dashboard_sessions_expiry").on(table.expiresAt),
  ],
);
