import { eventRecordSchema, limits } from "@opencomputer/protocol/api";
import { z } from "zod";
import type { Database } from "../database/database.ts";
import { and, eq, type SQL, sql } from "../database/query-builder.ts";
import { events, webhookDeliveries, webhooks } from "../database/schema.ts";
import { formatCursor } from "../events/event-cursor.ts";
import { recordEvent } from "../events/record-event.ts";
import type { EncryptedValue } from "../vault/vault.ts";
import { deliverySchedule } from "./delivery-schedule.ts";

/** After this long a control plane that has taken a delivery is taken for lost. */
const leaseSeconds = 4 * limits.webhookTimeoutSeconds;

/** Webhooks of one org whose deliveries are taken at a time. */
const webhooksPerOrgMax = 2;

/** A delivery that this control plane has taken. */
export interface TakenDelivery {
  id: string;
  /** This attempt's number, from 1. */
  attempt: number;
  webhookId: string;
  orgId: string;
  url: string;
  secret: EncryptedValue;
  eventId: string;
  /** The body: the event, and its time under the name that Standard Webhooks gives it. */
  body: string;
}

/** What an attempt came to. `status` is the receiver's, if it has responded. */
export interface Outcome {
  isDelivered: boolean;
  status: number | null;
  error: string | null;
}

const takenSchema = z.object({
  rows: z.array(
    z.object({
      id: z.string(),
      attempt: z.number(),
      webhook_id: z.string(),
      org_id: z.string(),
      url: z.string(),
      sealed: z.string(),
      key_version: z.string(),
      event_id: z.string(),
      transaction_id: z.string(),
      sequence: z.string(),
      node_id: z.string(),
      sandbox_id: z.string().nullable(),
      type: z.string(),
      data: z.record(z.string(), z.unknown()),
      time: z.date().or(z.coerce.date()),
    }),
  ),
});

/** The deliveries that are due, which several control planes share. */
export function createDeliveryQueue(database: Database) {
  return {
    /**
     * Takes deliveries that are due: no other control plane gets them until their lease
     * has ended, so that one whose control plane is lost is sent again. Those of the org
     * come first that has waited for longest.
     *
     * @param perWebhookMax How many of one webhook, of which an org has two at a time.
     * @param busy Webhooks and orgs that have as many attempts under way as they may.
     */
    async take(
      countMax: number,
      perWebhookMax: number,
      busy: { readonly webhookIds: readonly string[]; readonly orgIds: readonly string[] },
    ): Promise<TakenDelivery[]> {
      const due = sql`d.state = 'pending' and d.next_attempt_at <= now()`;
      const isFree = sql`w.enabled and not w.id = any(${sql.param([...busy.webhookIds])}::uuid[])
        and not w.org_id = any(${sql.param([...busy.orgIds])}::uuid[])`;
      const result = await database.execute(
        sql`with chosen as materialized (
              select due.id from (
                select id, since, org_since, row_number() over (partition by org_id order by since)
                from (
                  select w.id, w.org_id, min(d.next_attempt_at) as since,
                    min(min(d.next_attempt_at)) over (partition by w.org_id) as org_since
                  from ${webhooks} w join ${webhookDeliveries} d on d.webhook_id = w.id
                  where ${isFree} and ${due} group by w.id) waiting) w
              cross join lateral (
                select d.id from ${webhookDeliveries} d where d.webhook_id = w.id and ${due}
                order by d.next_attempt_at limit ${perWebhookMax} for update skip locked) due
              where w.row_number <= ${webhooksPerOrgMax}
              order by w.org_since, w.since limit ${countMax}),
            taken as (
              update ${webhookDeliveries} d set attempts = attempts + 1, last_attempt_at = now(),
                next_attempt_at = now() + make_interval(secs => ${leaseSeconds})
              from chosen where d.id = chosen.id
              returning d.id, d.attempts, d.webhook_id, d.event_id)
            select taken.id, taken.attempts as attempt, taken.webhook_id, w.org_id, w.url, w.sealed,
              w.key_version, e.id as event_id, e.transaction_id::text, e.sequence::text, e.node_id,
              e.sandbox_id, e.type, e.data, e.time
            from taken join ${webhooks} w on w.id = taken.webhook_id
              join ${events} e on e.id = taken.event_id`,
      );
      return takenSchema.parse(result).rows.map((row) => ({
        ...{ id: row.id, attempt: row.attempt, webhookId: row.webhook_id, orgId: row.org_id },
        ...{ url: row.url, eventId: row.event_id, body: bodyOf(row) },
        secret: { encrypted: row.sealed, keyVersion: row.key_version },
      }));
    },

    /** Gives a delivery back whose attempt was broken off: it is due at once. */
    async giveBack({ id, attempt }: TakenDelivery): Promise<void> {
      await database
        .update(webhookDeliveries)
        .set({ nextAttemptAt: sql`now()` })
        .where(and(eq(webhookDeliveries.id, id), eq(webhookDeliveries.attempts, attempt)));
    },

    /**
     * Stores what an attempt came to, unless the delivery was taken again since. One
     * that failed is due again later, and a receiver that is gone, or has failed for
     * a day, disables its webhook.
     */
    async finish(delivery: TakenDelivery, outcome: Outcome): Promise<{ isDisabled: boolean }> {
      if (outcome.isDelivered) {
        await finishDelivered(database, delivery, outcome);
        return { isDisabled: false };
      }
      return database.transaction(async (transaction) => {
        const wait = deliverySchedule(delivery.attempt);
        const [row] = await transaction
          .update(webhookDeliveries)
          .set({
            ...{ responseStatus: outcome.status, error: outcome.error },
            ...(wait === undefined
              ? { state: "failed" }
              : { nextAttemptAt: sql`now() + make_interval(secs => ${wait})` }),
          })
          .where(isAttempt(delivery))
          .returning({ id: webhookDeliveries.id });
        if (row === undefined) return { isDisabled: false };
        return { isDisabled: await noteFailure(transaction, delivery, outcome) };
      });
    },
  };
}
export type DeliveryQueue = ReturnType<typeof createDeliveryQueue>;

/** The delivery, unless it was taken again since. */
function isAttempt({ id, attempt }: TakenDelivery): SQL | undefined {
  return and(
    eq(webhookDeliveries.id, id),
    eq(webhookDeliveries.attempts, attempt),
    eq(webhookDeliveries.state, "pending"),
  );
}

/** In one statement, as nearly every attempt ends so. Its webhook no longer fails. */
async function finishDelivered(
  database: Database,
  delivery: TakenDelivery,
  { status }: Outcome,
): Promise<void> {
  await database.execute(
    sql`with finished as (
          update ${webhookDeliveries}
          set state = 'delivered', response_status = ${status}, error = null
          where ${isAttempt(delivery)} returning webhook_id)
        update ${webhooks} w set failing_since = null from finished
        where w.id = finished.webhook_id and w.failing_since is not null`,
  );
}

/** Returns whether the webhook was disabled because of it. */
async function noteFailure(
  transaction: Database,
  { webhookId, orgId }: TakenDelivery,
  { status }: Outcome,
): Promise<boolean> {
  const [failing] = await transaction
    .update(webhooks)
    .set({ failingSince: sql`coalesce(${webhooks.failingSince}, now())` })
    .where(and(eq(webhooks.id, webhookId), eq(webhooks.enabled, true)))
    .returning({
      sandboxId: webhooks.sandboxId,
      isTooLong: sql<boolean>`${webhooks.failingSince} <= now() - make_interval(secs => ${limits.webhookFailingSecondsMax})`,
    });
  if (failing === undefined) return false;
  const reason = status === goneStatus ? "gone" : failing.isTooLong ? "failing" : undefined;
  if (reason === undefined) return false;
  await transaction
    .update(webhooks)
    .set({ enabled: false, disabledReason: reason })
    .where(eq(webhooks.id, webhookId));
  await transaction
    .update(webhookDeliveries)
    .set({ state: "failed" })
    .where(and(eq(webhookDeliveries.webhookId, webhookId), eq(webhookDeliveries.state, "pending")));
  const { sandboxId } = failing;
  await recordEvent(transaction, {
    ...{ orgId, sandboxId },
    ...{ type: "webhook.disabled", data: { webhookId, reason } },
  });
  return true;
}

/** RFC 9110, section 15.5.11: the receiver wants no more of it. */
const goneStatus = 410;

type TakenRow = z.output<typeof takenSchema>["rows"][number];

function bodyOf(row: TakenRow): string {
  const time = row.time.toISOString();
  const event = eventRecordSchema.parse({
    ...{ id: row.event_id, nodeId: row.node_id, sandboxId: row.sandbox_id, time },
    ...{ type: row.type, data: row.data },
    cursor: formatCursor({
      transactionId: BigInt(row.transaction_id),
      sequence: BigInt(row.sequence),
    }),
  });
  return JSON.stringify({ ...event, timestamp: time });
}
