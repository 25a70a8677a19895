import type { Command } from "commander";
import { z } from "zod";
import { CliError } from "../cli-context.ts";
import { collect } from "./option-parsers.ts";

export const egressAllowlistSchema = z.object({
  egressAllowlist: z.array(z.string()).optional(),
  clearEgressAllowlist: z.boolean().default(false),
});

/** Adds the option that sets an allowlist. */
export function addEgressAllowlistOption(command: Command, use = "repeatable"): Command {
  return command.option(
    "--egress-allowlist <host>",
    `host that sandboxes may reach: api.example.com, *.example.com, api.example.com:8443 or tcp://db.example.com:5432 (${use})`,
    collect,
  );
}

/** Adds the options that change an allowlist. */
export function addEgressAllowlistOptions(command: Command): Command {
  return addEgressAllowlistOption(command, "repeatable; replaces the present list").option(
    "--clear-egress-allowlist",
    "allow all hosts again",
  );
}

/** The allowlist that the options set; undefined leaves it unchanged. */
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

/** An allowlist as text. */
export function formatEgressAllowlist(hosts: readonly string[]): string {
  return hosts.length === 0 ? "all hosts" : hosts.join(", ");
}
