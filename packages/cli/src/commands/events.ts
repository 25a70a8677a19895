import { type EventRecord, Events } from "@opencomputer/sdk";
import type { Command } from "commander";
import { z } from "zod";
import { defineCommand, readOptions } from "../arguments/define-command.ts";
import { collectEventTypes, eventTypesSchema } from "../arguments/event-types.ts";
import { wholeNumber } from "../arguments/option-parsers.ts";
import type { CliContext } from "../cli-context.ts";
import { openInvocation } from "../invocation.ts";
import { printable, printableJson } from "../output/format.ts";
import { printFollowed } from "../output/print-followed.ts";

const defaultLimit = 50;
const optionsSchema = z.object({
  follow: z.boolean().default(false),
  sandbox: z.string().optional(),
  type: eventTypesSchema.optional(),
  limit: z.number().default(defaultLimit),
});

/** `oc events`: what has happened in the org. */
export function addEvents(program: Command, context: CliContext): void {
  defineCommand(program, "events", {
    summary: "List the latest events, oldest first, or follow them as they happen",
    examples: [
      "oc events --limit 20",
      "oc events --follow --sandbox <sandbox-id>",
      "oc events --type sandbox.killed,sandbox.timed_out --json",
    ],
  })
    .option("-f, --follow", "then print new events as they happen")
    .option("--sandbox <sandbox-id>", "only events of this sandbox, which may have been killed")
    .option(
      "--type <types>",
      "only events of these types (comma-separated, repeatable)",
      collectEventTypes,
    )
    .option("-n, --limit <count>", `how many of the latest (default: ${defaultLimit})`, wholeNumber)
    .action(async (_options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const { follow, sandbox, type, limit } = readOptions(command, optionsSchema);
      const chosen = { ...(await invocation.connection()), sandboxId: sandbox, types: type };
      const listing = Events.list({ ...chosen, order: "desc", limit: Math.max(limit, 1) });
      const page = await invocation.progress("Listing events", listing);
      const events = limit === 0 ? [] : page.events.toReversed();
      if (follow) {
        const cursor = page.events[0]?.cursor ?? page.cursor;
        const lineOf = (event: EventRecord) =>
          invocation.json ? printableJson(event) : printable(cellsOf(event).join("  "));
        await printFollowed(context, events, lineOf, (signal) =>
          Events.follow({ ...chosen, cursor, signal }),
        );
      } else {
        invocation.printTable(["TIME", "TYPE", "SANDBOX", "DETAILS"], events.map(cellsOf), events);
      }
    });
}

function cellsOf({ time, type, sandboxId, data }: EventRecord): string[] {
  const details = Object.entries(data).map(([name, value]) => `${name}=${textOf(value)}`);
  return [time, type, sandboxId ?? "-", details.join(" ")];
}

/** A word as it is; everything else as JSON, so that one can tell where it ends. */
function textOf(value: unknown): string {
  return typeof value === "string" && /^[\w.:/-]+$/.test(value) ? value : JSON.stringify(value);
}
