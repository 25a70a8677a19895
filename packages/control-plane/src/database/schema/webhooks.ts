import type { EventType } from "@opencomputer/protocol/api";
import { sql } from "../query-builder.ts";
import {
  boolean,
  createdAt,
  index,
  integer,
  jsonb,
  pgTable,
  text,
  time,
  updatedAt,
  uuid,
} from "./columns.ts";
import { events } from "./events.ts";
import { orgId } from "./orgs.ts";

/**
 * Where events are sent. One of a sandbox ends with it, after its last delivery:
 * deliberately no foreign key.
 */
export const webhooks = pgTable(
  "webhooks",
  {
    id: uuid("id").primaryKey(),
    orgId: orgId(),
    /** Null for one that gets the events of the whole org. */
    sandboxId: text("sandbox_id"),
    url: text("url").notNull(),
    /** The signing secret. */
    encrypted: text("sealed").notNull(),
    keyVersion: text("key_version").notNull(),
    /** Null for all. */
    eventTypes: jsonb("event_types").$type<EventType[]>(),
    enabled: boolean("enabled").notNull().default(true),
    disabledReason: text("disabled_reason", { enum: ["requested", "gone", "failing"] }),
    /** The first failure since a delivery succeeded. */
    failingSince: time("failing_since"),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    index("webhooks_org").on(table.orgId, table.sandboxId),
    index("webhooks_sandbox").on(table.sandboxId).where(sql`${table.sandboxId} is not null`),
  ],
);

/**
 * Deliveries to webhooks, sent and pending. A row is written with its event; one
 * control plane at a time takes it, by moving `nextAttemptAt`.
 */
export const webhookDeliveries = pgTable(
  "webhook_deliveries",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    webhookId: uuid("webhook_id")
      .notNull()
      .references(() => webhooks.id, { onDelete: "cascade" }),
    eventId: uuid("event_id")
      .notNull()
      .references(() => events.id, { onDelete: "cascade" }),
    state: text("state", { enum: ["pending", "delivered", "failed"] })
      .notNull()
      .default("pending"),
    attempts: integer("attempts").notNull().default(0),
    /** When it is sent, or when the control plane that has taken it is taken for lost. */
    nextAttemptAt: time("next_attempt_at").notNull().defaultNow(),
    lastAttemptAt: time("last_attempt_at"),
    /** Status of the response to the last attempt; null when there was none. */
    responseStatus: integer("response_status"),
    error: text("error"),
    createdAt: createdAt(),
  },
  (table) => [
    index("webhook_deliveries_webhook").on(table.webhookId, table.createdAt),
    index("webhook_deliveries_event").on(table.eventId),
    index("webhook_deliveries_due").on(table.nextAttemptAt).where(sql`${table.state} = 'pending'`),
  ],
);
