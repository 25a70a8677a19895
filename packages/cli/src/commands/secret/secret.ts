import type { SecretEntry } from "@opencomputer/sdk";
import type { Command } from "commander";
import { z } from "zod";
import { defineCommand, defineGroup, readOptions } from "../../arguments/define-command.ts";
import { collect } from "../../arguments/option-parsers.ts";
import type { CliContext } from "../../cli-context.ts";
import { CliError } from "../../cli-error.ts";
import { openInvocation } from "../../invocation.ts";
import { printable } from "../../output/printable.ts";
import { readSecret } from "./read-secret.ts";
import { findSecretOwner } from "./secret-owner.ts";

const setOptionsSchema = z.object({
  fromStdin: z.boolean().default(false),
  allowedHosts: z.array(z.string()).optional(),
  allHosts: z.boolean().default(false),
});

/** `oc secret`: the secrets of a project or a secret store, by its id. */
export function addSecret(program: Command, context: CliContext): void {
  const group = defineGroup(program, "secret", {
    summary: "Manage the secrets of a project or a secret store",
    examples: [
      "echo sk-ant-... | oc secret set <id> ANTHROPIC_API_KEY --from-stdin",
      "oc secret list <id>",
    ],
  });
  addSet(group, context);
  addList(group, context);
  addDelete(group, context);
}

function addSet(group: Command, context: CliContext): void {
  defineCommand(group, "set <id> <name> [value]", {
    summary: "Set a secret, or replace its value",
    examples: [
      "cat ~/.anthropic_key | oc secret set <id> ANTHROPIC_API_KEY --from-stdin",
      "oc secret set <id> ANTHROPIC_API_KEY --from-stdin --allowed-hosts api.anthropic.com < key",
      "oc secret set <id> ANTHROPIC_API_KEY sk-ant-...     # seen by other processes and your shell's history",
    ],
  })
    .option(
      "--from-stdin",
      "take the whole of stdin as the value, less one newline at its end; on a terminal, ask",
    )
    .option(
      "--allowed-hosts <host>",
      "a host that the value may be sent to (repeatable); left out, earlier limits stay",
      collect,
    )
    .option("--all-hosts", "lift the limits on hosts")
    .action(
      async (
        id: string,
        name: string,
        given: string | undefined,
        _options: unknown,
        command: Command,
      ) => {
        const invocation = openInvocation(context, command);
        const { fromStdin, allowedHosts, allHosts } = readOptions(command, setOptionsSchema);
        if (fromStdin === (given !== undefined)) {
          throw new CliError(
            "invalid_usage",
            "Expected the value either as an argument or with --from-stdin",
          );
        }
        if (allHosts && allowedHosts !== undefined) {
          throw new CliError("invalid_usage", "Expected --all-hosts or --allowed-hosts, not both");
        }
        if (given !== undefined) {
          invocation.warn(
            "a value on the command line is seen by other processes and kept in your shell's history; prefer --from-stdin",
          );
        }
        const connection = await invocation.connection();
        const value = given ?? (await readSecret(context));
        const options = { ...connection, allowedHosts: allHosts ? [] : allowedHosts };
        const setting = findSecretOwner(id, connection).then((owner) =>
          owner.setSecret(id, name, value, options),
        );
        await invocation.progress("Setting the secret", setting);
        invocation.print(`Set ${name}`, { name, status: "set" });
      },
    );
}

function addList(group: Command, context: CliContext): void {
  defineCommand(group, "list <id>", {
    summary: "List the names of secrets; values are never shown",
    examples: ["oc secret list <id>", "oc secret list <id> --json"],
  }).action(async (id: string, _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const connection = await invocation.connection();
    const listing = findSecretOwner(id, connection).then(
      async (owner): Promise<(string | SecretEntry)[]> => await owner.listSecrets(id, connection),
    );
    const entries = await invocation.progress("Listing secrets", listing);
    const names = entries.map((entry) => (typeof entry === "string" ? entry : entry.name));
    if (names.length === 0) invocation.note(`No secrets. Set one with: oc secret set ${id} NAME`);
    invocation.print(names.map(printable).sort().join("\n"), entries);
  });
}

function addDelete(group: Command, context: CliContext): void {
  defineCommand(group, "delete <id> <name>", {
    summary: "Delete a secret; running sandboxes are not affected",
    examples: ["oc secret delete <id> ANTHROPIC_API_KEY"],
  }).action(async (id: string, name: string, _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const connection = await invocation.connection();
    const deleting = findSecretOwner(id, connection).then((owner) =>
      owner.deleteSecret(id, name, connection),
    );
    await invocation.progress("Deleting the secret", deleting);
    invocation.print(`Deleted ${name}`, { name, status: "deleted" });
  });
}
