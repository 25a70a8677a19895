import type { Command } from "commander";
import { z } from "zod";
import { collect } from "../arguments/option-parsers.ts";
import { CliError } from "../cli-error.ts";

export const egressAllowlistSchema = z.object({
  egressAllowlist: z.array(z.string()).optional(),
  clearEgressAllowlist: z.boolean().default(false),
});

/** The flag that sets an allowlist. */
export function addEgressAllowlistOption(command: Command): Command {
  return command.option(
    "--egress-allowlist <host>",
    "a host that sandboxes may reach, such as api.example.com or *.example.com (repeatable)",
    collect,
  );
}

/** The flags that change an allowlist. */
export function addEgressAllowlistOptions(command: Command): Command {
  return addEgressAllowlistOption(command).option(
    "--clear-egress-allowlist",
    "allow all hosts again",
  );
}

/** The list that the flags stand for; undefined keeps the one there is. */
export function chosenEgressAllowlist(
  options: z.output<typeof egressAllowlistSchema>,
): string[] | undefined {
  if (!options.clearEgressAllowlist) return options.egressAllowlist;
  if (options.egressAllowlist !== undefined) {
    throw new CliError(
      "invalid_usage",
      "Expected --egress-allowlist or --clear-egress-allowlist, not both",
    );
  }
  return [];
}

/** A list as people read it. */
export function formatEgressAllowlist(hosts: readonly string[]): string {
  return hosts.length === 0 ? "all hosts" : hosts.join(", ");
}
