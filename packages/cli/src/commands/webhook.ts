import { Webhook, type WebhookRecord } from "@opencomputer/sdk";
import { type Command, Option } from "commander";
import { z } from "zod";
import { defineCommand, defineGroup, readOptions } from "../arguments/define-command.ts";
import { collectEventTypes, eventTypesSchema } from "../arguments/event-types.ts";
import { wholeNumber } from "../arguments/option-parsers.ts";
import { readText } from "../arguments/read-text.ts";
import { type CliContext, CliError } from "../cli-context.ts";
import { openInvocation } from "../invocation.ts";
import { formatAge } from "../output/format.ts";
import { formatFields } from "../output/table.ts";

const states = ["pending", "delivered", "failed"] as const;
const createOptionsSchema = z.object({
  url: z.string(),
  type: eventTypesSchema.optional(),
  secretFile: z.string().optional(),
});
const listOptionsSchema = z.object({ sandbox: z.string().optional() });
const updateOptionsSchema = z.object({
  url: z.string().optional(),
  type: eventTypesSchema.optional(),
  allTypes: z.boolean().default(false),
  enable: z.boolean().default(false),
  disable: z.boolean().default(false),
});
const deliveriesOptionsSchema = z.object({
  state: z.enum(states).optional(),
  limit: z.number().optional(),
});
const typeText = "events of these types (comma-separated, repeatable)";

/** `oc webhook`: URLs that events of the org are sent to. */
export function addWebhook(program: Command, context: CliContext): void {
  const group = defineGroup(program, "webhook", {
    summary: "Manage webhooks: URLs that events are sent to",
    examples: [
      "oc webhook create --url https://example.com/hook --type sandbox.killed",
      "oc webhook deliveries <webhook-id> --state pending",
      "oc webhook update <webhook-id> --enable",
    ],
  });
  addCreate(group, context);
  addList(group, context);
  addUpdate(group, context);
  addDelete(group, context);
  addDeliveries(group, context);
  addResend(group, context);
}

function addCreate(group: Command, context: CliContext): void {
  defineCommand(group, "create", {
    summary: "Create a webhook and print its signing secret; it is not shown again",
    examples: [
      "oc webhook create --url https://example.com/hook",
      "oc webhook create --url https://example.com/hook --type sandbox.ready,sandbox.killed",
    ],
  })
    .requiredOption("--url <url>", "https or http URL that events are posted to")
    .option("--type <types>", `only ${typeText}`, collectEventTypes)
    .option(
      "--secret-file <path>",
      "file with your own secret, whsec_ and base64; - reads it from stdin",
    )
    .action(async (_options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const { url, type, secretFile } = readOptions(command, createOptionsSchema);
      const secret =
        secretFile === undefined ? undefined : (await readText(context, secretFile)).trim();
      const connection = await invocation.connection();
      const creating = Webhook.create({ ...connection, url, secret, eventTypes: type });
      const created = await invocation.progress("Creating the webhook", creating);
      invocation.note("The secret is shown only once: store it where events are verified.");
      const fields = [
        ["ID", created.id],
        ["Secret", created.secret],
      ] as const;
      invocation.print(formatFields(fields), created);
    });
}

function addList(group: Command, context: CliContext): void {
  defineCommand(group, "list", {
    summary: "List webhooks, without their secrets",
    examples: ["oc webhook list", "oc webhook list --sandbox <sandbox-id>"],
  })
    .option("--sandbox <sandbox-id>", "webhooks of this sandbox instead of those of the whole org")
    .action(async (_options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const { sandbox } = readOptions(command, listOptionsSchema);
      const listing = Webhook.list({ ...(await invocation.connection()), sandboxId: sandbox });
      const webhooks = await invocation.progress("Listing webhooks", listing);
      const rows = webhooks.map((webhook) => [
        webhook.id,
        webhook.url,
        webhook.eventTypes?.join(",") ?? "all",
        statusOf(webhook),
      ]);
      invocation.printTable(["ID", "URL", "EVENTS", "STATUS"], rows, webhooks);
    });
}

function addUpdate(group: Command, context: CliContext): void {
  defineCommand(group, "update <webhook-id>", {
    summary: "Change a webhook, disable it, or enable it again",
    examples: [
      "oc webhook update <webhook-id> --url https://example.com/new",
      "oc webhook update <webhook-id> --enable",
    ],
  })
    .option("--url <url>", "new URL")
    .option("--type <types>", `only ${typeText}`, collectEventTypes)
    .option("--all-types", "events of all types")
    .option("--enable", "send events again, from now on")
    .option("--disable", "send no events")
    .action(async (id: string, _options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const { url, type, allTypes, enable, disable } = readOptions(command, updateOptionsSchema);
      if (enable && disable) throw bothOf("--enable", "--disable");
      if (allTypes && type !== undefined) throw bothOf("--type", "--all-types");
      const updating = Webhook.update(id, {
        ...(await invocation.connection()),
        url,
        eventTypes: allTypes ? null : type,
        enabled: enable ? true : disable ? false : undefined,
      });
      const webhook = await invocation.progress("Updating the webhook", updating);
      invocation.print(`Updated ${id} (${statusOf(webhook)})`, webhook);
    });
}

function addDelete(group: Command, context: CliContext): void {
  defineCommand(group, "delete <webhook-id>", {
    summary: "Delete a webhook and its pending deliveries",
    examples: ["oc webhook delete <webhook-id>"],
  }).action(async (id: string, _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const deleting = Webhook.delete(id, await invocation.connection());
    await invocation.progress("Deleting the webhook", deleting);
    invocation.print(`Deleted ${id}`, { id, status: "deleted" });
  });
}

function addDeliveries(group: Command, context: CliContext): void {
  defineCommand(group, "deliveries <webhook-id>", {
    summary: "List the deliveries of a webhook, past and pending, newest first",
    examples: ["oc webhook deliveries <webhook-id> --state failed --limit 20"],
  })
    .addOption(new Option("--state <state>", "only those in this state").choices(states))
    .option("-n, --limit <count>", "how many (default: 100)", wholeNumber)
    .action(async (id: string, _options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const options = readOptions(command, deliveriesOptionsSchema);
      const listing = Webhook.listDeliveries(id, {
        ...(await invocation.connection()),
        ...options,
      });
      const deliveries = await invocation.progress("Listing deliveries", listing);
      const now = Date.now();
      const rows = deliveries.map((delivery) => [
        delivery.id,
        delivery.eventType,
        delivery.state,
        String(delivery.attempts),
        delivery.error ?? (delivery.responseStatus === null ? "-" : `${delivery.responseStatus}`),
        formatAge(delivery.createdAt, now),
      ]);
      const head = ["ID", "EVENT", "STATE", "ATTEMPTS", "RESPONSE", "AGE"];
      invocation.printTable(head, rows, deliveries);
    });
}

function addResend(group: Command, context: CliContext): void {
  defineCommand(group, "resend <webhook-id> <delivery-id>", {
    summary: "Send an event to a webhook again",
    examples: ["oc webhook resend <webhook-id> <delivery-id>"],
  }).action(async (id: string, deliveryId: string, _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const resending = Webhook.resend(id, deliveryId, await invocation.connection());
    const delivery = await invocation.progress("Sending the event again", resending);
    invocation.print(`Event ${delivery.eventId} will be sent again as ${delivery.id}`, delivery);
  });
}

function statusOf({ enabled, disabledReason, failingSince }: WebhookRecord): string {
  if (!enabled) return `disabled: ${disabledReason}`;
  return failingSince === null ? "enabled" : `failing since ${failingSince}`;
}

function bothOf(one: string, other: string): CliError {
  return new CliError("invalid_usage", `Expected ${one} or ${other}, not both`);
}
