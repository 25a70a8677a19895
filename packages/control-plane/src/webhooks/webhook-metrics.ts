import { Counter, Gauge, type Registry } from "prom-client";
import type { WebhookCounts } from "./webhook-maintenance.ts";

/** What an attempt to send an event came to: `unreachable` is one without a response. */
export type AttemptResult = "delivered" | "rejected" | "unreachable";

export interface WebhookMetrics {
  countAttempt(result: AttemptResult): void;
}

const results: readonly AttemptResult[] = ["delivered", "rejected", "unreachable"];
const states = ["enabled", "requested", "gone", "failing"] as const;

/**
 * Counts attempts to send events to webhooks, and reads at each scrape what is to be
 * sent and how many webhooks are disabled. No org and no URL is a label.
 */
export function createWebhookMetrics(
  registry: Registry,
  /** Rejects while the database cannot be reached. */
  countWebhooks: () => Promise<WebhookCounts>,
): WebhookMetrics {
  const attempts = new Counter({
    name: "opencomputer_webhook_attempts_total",
    help: "Attempts to send an event to a webhook: delivered, rejected by its status, or without a response",
    labelNames: ["result"],
    registers: [registry],
  });
  // A rate is of two samples: the first attempt would otherwise not be one.
  for (const result of results) attempts.inc({ result }, 0);
  let counting: Promise<WebhookCounts | undefined> | undefined;
  /** One query for both gauges of a scrape; undefined while the database does not respond. */
  const countOnce = () => {
    counting ??= countWebhooks()
      .catch(() => undefined)
      .finally(() => {
        counting = undefined;
      });
    return counting;
  };
  new Gauge({
    name: "opencomputer_webhook_deliveries_pending",
    help: "Events that are to be sent to webhooks, or sent again; absent while the database does not respond",
    registers: [registry],
    async collect() {
      this.remove();
      const counts = await countOnce();
      if (counts !== undefined) this.set(counts.pendingDeliveries);
    },
  });
  new Gauge({
    name: "opencomputer_webhooks",
    help: "Webhooks of all orgs: enabled, or disabled on request, because the receiver is gone (410), or after a day of failures",
    labelNames: ["state"],
    registers: [registry],
    async collect() {
      this.reset();
      const counts = await countOnce();
      if (counts === undefined) return;
      for (const state of states) this.set({ state }, counts.byState.get(state) ?? 0);
    },
  });
  return { countAttempt: (result) => attempts.inc({ result }) };
}
