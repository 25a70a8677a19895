import { Usage, type UsageInterval } from "@opencomputer/sdk";
import { type Command, Option } from "commander";
import { z } from "zod";
import { defineCommand, readOptions } from "../../arguments/define-command.ts";
import { collectPairs, wholeNumber } from "../../arguments/option-parsers.ts";
import { parseMoment } from "../../arguments/parse-moment.ts";
import { type CliContext, CliError } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";
import { bucketHead, cellsOf, describeCurrent, describeOrg, usageHead } from "./format-usage.ts";

const defaultLimit = 50;
const intervals = ["hour", "day"] as const satisfies UsageInterval[];
const optionsSchema = z.object({
  since: z.date().optional(),
  until: z.date().optional(),
  interval: z.enum(intervals).optional(),
  tag: z.record(z.string(), z.string()).optional(),
  by: z.string().optional(),
  limit: z.number().optional(),
});

/** `oc usage`: what sandboxes use of their hosts. */
export function addUsage(program: Command, context: CliContext): void {
  defineCommand(program, "usage [sandbox-id]", {
    summary: "Show what sandboxes use, now and over time: all of them, or one, even a killed one",
    examples: [
      "oc usage --since 7d",
      "oc usage --tag team=research --since 2026-01-01",
      "oc usage --by team --json",
      "oc usage sb-abc123 --since 24h",
    ],
  })
    .option(
      "--since <time>",
      "start: a time, or how long ago: 90m, 24h, 7d (default: 24h)",
      (text) => parseMoment(text),
    )
    .option("--until <time>", "end of the period, in the same form (default: now)", (text) =>
      parseMoment(text),
    )
    .addOption(
      new Option("--interval <length>", "with an id: a line for each hour or day").choices(
        intervals,
      ),
    )
    .option(
      "--tag <key=value>",
      "only sandboxes with this tag (repeatable: with all of these)",
      collectPairs,
    )
    .option("--by <key>", "a line for each value of this tag instead of each sandbox")
    .option("-n, --limit <count>", `how many lines (default: ${defaultLimit})`, wholeNumber)
    .action(async (id: string | undefined, _options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const { tag: tags, by, limit, ...period } = readOptions(command, optionsSchema);
      const connection = await invocation.connection();
      const progress = "Reading usage";
      if (id !== undefined) {
        if (tags !== undefined || by !== undefined || limit !== undefined) {
          throw new CliError(
            "invalid_usage",
            "--tag, --by and --limit choose among all sandboxes: leave them out, or the id",
          );
        }
        const reading = Usage.ofSandbox(id, { ...connection, ...period });
        const usage = await invocation.progress(progress, reading);
        invocation.note(describeCurrent(usage));
        const rows = usage.buckets.map((bucket) => [bucket.start, ...cellsOf(bucket)]);
        const total = rows.length === 0 ? [] : [["total", ...cellsOf(usage.total)]];
        return invocation.printTable(bucketHead, [...rows, ...total], usage);
      }
      const options = { ...connection, ...period, tags, limit: Math.max(1, limit ?? defaultLimit) };
      if (by !== undefined) {
        const usage = await invocation.progress(progress, Usage.byTag(by, options));
        if (usage.cursor !== null) invocation.note("There are more values: raise --limit");
        const rows = usage.values.map((row) => [row.value ?? "(none)", ...cellsOf(row)]);
        return invocation.printTable(usageHead(by.toUpperCase()), rows, usage);
      }
      const usage = await invocation.progress(progress, Usage.ofOrg(options));
      invocation.note(describeOrg(usage));
      if (usage.cursor !== null) invocation.note("There are more sandboxes: raise --limit");
      const rows = usage.sandboxes.map((row) => [row.sandboxID, ...cellsOf(row)]);
      const total = rows.length === 0 ? [] : [["total", ...cellsOf(usage.total)]];
      invocation.printTable(usageHead("ID"), [...rows, ...total], usage);
    });
}
