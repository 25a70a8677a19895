import {
  createdAt,
  index,
  integer,
  jsonb,
  pgTable,
  text,
  time,
  uniqueIndex,
  uuid,
} from "./columns.ts";
import { orgId } from "./orgs.ts";
import { sandboxes } from "./sandboxes.ts";

/** Ports of sandboxes that are reached from outside, by host name. */
export const previews = pgTable(
  "previews",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    orgId: orgId(),
    sandboxId: text("sandbox_id")
      .notNull()
      .references(() => sandboxes.id, { onDelete: "cascade" }),
    port: integer("port").notNull(),
    /** The caller's own host name for it, unique in the installation. */
    customHostname: text("custom_hostname").unique(),
    authConfig: jsonb("auth_config").$type<Record<string, unknown>>().notNull(),
    createdAt: createdAt(),
  },
  (table) => [uniqueIndex("previews_sandbox_port").on(table.sandboxId, table.port)],
);

/** Links that open a preview in a browser and were not used yet. */
export const previewLinks = pgTable(
  "preview_links",
  {
    /** SHA-256 of the link's code, in hexadecimal. */
    codeHash: text("code_hash").primaryKey(),
    orgId: orgId(),
    previewId: uuid("preview_id")
      .notNull()
      .references(() => previews.id, { onDelete: "cascade" }),
    expiresAt: time("expires_at").notNull(),
  },
  (table) => [index("preview_links_preview").on(table.previewId)],
);
