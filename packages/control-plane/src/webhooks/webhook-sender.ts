import { setTimeout as delay } from "node:timers/promises";
import { limits } from "@opencomputer/protocol/api";
import type { Logger } from "pino";
import type { Vault } from "../vault/vault.ts";
import type { DeliveryQueue, Outcome, TakenDelivery } from "./delivery-queue.ts";
import { SendError, type SendMessageDeps, sendMessage } from "./send-message.ts";
import type { AttemptResult, WebhookMetrics } from "./webhook-metrics.ts";
import { signMessage } from "./webhook-secret.ts";

const pollMilliseconds = 1_000;
/** Attempts of this control plane at once, in all and to one webhook. */
const attemptsMax = 128;
const attemptsPerWebhookMax = 8;
/** An org with so many gets no further ones: receivers that hang are not to hold up those of others. */
const attemptsOfBusyOrg = 24;

/** Sends what is due to webhooks, until it is stopped. */
export interface WebhookSender {
  /** Breaks off attempts under way, which are made again by others, or at the next start. */
  stop(): Promise<void>;
}

export function startWebhookSender(deps: {
  queue: DeliveryQueue;
  vault: Vault;
  sending: SendMessageDeps;
  metrics: Pick<WebhookMetrics, "countAttempt">;
  logger: Logger;
}): WebhookSender {
  const { queue, vault, sending, metrics, logger } = deps;
  const stopping = new AbortController();
  const { signal } = stopping;
  const attempts = new Set<Promise<void>>();
  const attemptsOfWebhook = new Attempts();
  const attemptsOfOrg = new Attempts();

  async function attempt(delivery: TakenDelivery): Promise<void> {
    const outcome = await send(delivery);
    if (outcome === undefined) return queue.giveBack(delivery);
    metrics.countAttempt(resultOf(outcome));
    const { isDisabled } = await queue.finish(delivery, outcome);
    const { webhookId, id: deliveryId } = delivery;
    if (isDisabled) logger.warn({ webhookId, status: outcome.status }, "a webhook was disabled");
    else logger.debug({ webhookId, deliveryId, ...outcome }, "an event was sent to a webhook");
  }

  /** Undefined when it was stopped. */
  async function send(delivery: TakenDelivery): Promise<Outcome | undefined> {
    const { orgId, webhookId, eventId, body } = delivery;
    const timeOut = AbortSignal.timeout(limits.webhookTimeoutSeconds * 1000);
    try {
      const secret = vault.decrypt(delivery.secret, { kind: "webhook-secret", orgId, webhookId });
      const headers = {
        ...signMessage(secret, { id: eventId, time: new Date(), body }),
        ...{ "content-type": "application/json", "user-agent": "OpenComputer-Webhooks/1" },
      };
      const url = new URL(delivery.url);
      const ended = AbortSignal.any([signal, timeOut]);
      return outcomeOf(await sendMessage(sending, url, { headers, body }, ended));
    } catch (error) {
      if (signal.aborted) return undefined;
      if (timeOut.aborted) return failed(`No response within ${limits.webhookTimeoutSeconds} s`);
      if (error instanceof SendError) return failed(error.message);
      logger.error({ webhookId, err: error }, "an event could not be sent to a webhook");
      return failed("The server failed unexpectedly: see its log");
    }
  }

  function start(delivery: TakenDelivery): void {
    const { webhookId, orgId } = delivery;
    attemptsOfWebhook.begin(webhookId);
    attemptsOfOrg.begin(orgId);
    const underWay = attempt(delivery)
      .catch((error: unknown) => {
        logger.warn({ webhookId, err: error }, "an event is sent to a webhook again");
      })
      .finally(() => {
        attempts.delete(underWay);
        attemptsOfWebhook.end(webhookId);
        attemptsOfOrg.end(orgId);
      });
    attempts.add(underWay);
  }

  async function take(): Promise<number> {
    const free = attemptsMax - attempts.size;
    if (free === 0) return 0;
    // One with any under way waits for those: a receiver gets at most so many at once.
    const busy = {
      webhookIds: attemptsOfWebhook.idsOf(1),
      orgIds: attemptsOfOrg.idsOf(attemptsOfBusyOrg),
    };
    const taken = await queue.take(free, attemptsPerWebhookMax, busy);
    for (const delivery of taken) start(delivery);
    return taken.length;
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      try {
        if ((await take()) > 0) continue;
      } catch (error) {
        logger.error({ err: error }, "no deliveries to webhooks were read; tried again");
      }
      const poll = delay(pollMilliseconds, undefined, { signal }).catch(() => undefined);
      await Promise.race([poll, ...attempts]);
    }
    await Promise.all(attempts);
  }

  const running = run();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/** Counts attempts under way by an id. */
class Attempts {
  readonly #counts = new Map<string, number>();

  begin(id: string): void {
    this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
  }

  end(id: string): void {
    const others = (this.#counts.get(id) ?? 1) - 1;
    if (others === 0) this.#counts.delete(id);
    else this.#counts.set(id, others);
  }

  /** The ids that have so many or more. */
  idsOf(countMin: number): string[] {
    return [...this.#counts].flatMap(([id, count]) => (count >= countMin ? [id] : []));
  }
}

/** Only 2xx is a delivery: a redirect would lead to where nobody has looked. */
function outcomeOf(status: number): Outcome {
  const isDelivered = status >= 200 && status < 300;
  return { isDelivered, status, error: isDelivered ? null : `Responded with status ${status}` };
}

function resultOf({ isDelivered, status }: Outcome): AttemptResult {
  if (isDelivered) return "delivered";
  return status === null ? "unreachable" : "rejected";
}

function failed(error: string): Outcome {
  return { isDelivered: false, status: null, error };
}
