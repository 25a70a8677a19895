import { type EgressEntry, EgressLog } from "@opencomputer/sdk";
import type { Command } from "commander";
import { z } from "zod";
import { defineCommand, readOptions } from "../../arguments/define-command.ts";
import { wholeNumber } from "../../arguments/option-parsers.ts";
import { type CliContext, CliError } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";
import { printable, printableJson } from "../../output/format.ts";
import { printFollowed } from "../../output/print-followed.ts";
import { formatEntry, formatSuggestion, headOfEntries } from "./format-egress.ts";

const defaultLimit = 50;
const optionsSchema = z.object({
  follow: z.boolean().default(false),
  refused: z.boolean().default(false),
  suggest: z.boolean().default(false),
  host: z.string().optional(),
  limit: z.number().optional(),
});

/** `oc egress`: what a sandbox exchanged with the network. */
export function addEgress(program: Command, context: CliContext): void {
  defineCommand(program, "egress <sandbox-id>", {
    summary:
      "Show the egress log of a sandbox, even of a killed one: its latest exchanges with the network, oldest first",
    examples: [
      "oc egress sb-abc123 --refused",
      "oc egress sb-abc123 --follow --host '*.example.com'",
      "oc egress sb-abc123 --suggest",
    ],
  })
    .option("-f, --follow", "then print new exchanges as they end")
    .option("--refused", "only exchanges that were refused")
    .option("--host <host>", "only exchanges with this host, or with the hosts below *.HOST")
    .option("-n, --limit <count>", `how many of the latest (default: ${defaultLimit})`, wholeNumber)
    .option("--suggest", "print the smallest allowlist for what the sandbox did, and nothing else")
    .action(async (id: string, _options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const { follow, refused, suggest, host, limit } = readOptions(command, optionsSchema);
      const log = new EgressLog(id, await invocation.connection());
      if (suggest) {
        if (follow || refused || host !== undefined || limit !== undefined) {
          throw new CliError(
            "invalid_usage",
            "--suggest reads the whole log: use it without --follow, --refused, --host and --limit",
          );
        }
        const suggestion = await invocation.progress("Reading the egress log", log.suggest());
        return invocation.print(formatSuggestion(suggestion), suggestion);
      }
      const count = limit ?? defaultLimit;
      const filter = { refused, host };
      const listing = log.list({ ...filter, order: "desc", limit: Math.max(count, 1) });
      const page = await invocation.progress("Reading the egress log", listing);
      const entries = count === 0 ? [] : page.entries.toReversed();
      if (follow) {
        const cursor = page.entries[0]?.cursor ?? page.cursor;
        const { json } = invocation;
        const lineOf = (entry: EgressEntry) =>
          json ? printableJson(entry) : printable(formatEntry(entry).join("  "));
        return printFollowed(context, entries, lineOf, (signal) =>
          log.follow({ ...filter, cursor, signal }),
        );
      }
      if (entries.length === 0) invocation.note("No exchanges");
      invocation.printTable(headOfEntries, entries.map(formatEntry), entries);
    });
}
