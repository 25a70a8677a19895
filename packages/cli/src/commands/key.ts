import { ApiKey } from "@opencomputer/sdk";
import type { Command } from "commander";
import { z } from "zod";
import { defineCommand, defineGroup, readOptions } from "../arguments/define-command.ts";
import type { CliContext } from "../cli-context.ts";
import { openInvocation } from "../invocation.ts";
import { formatAge } from "../output/format.ts";

const createOptionsSchema = z.object({ name: z.string() });

/** `oc key`: the API keys of the org. */
export function addKey(program: Command, context: CliContext): void {
  const group = defineGroup(program, "key", {
    summary: "Manage API keys",
    examples: ["oc key create --name ci", "oc key list", "oc key revoke <key-id>"],
  });
  addCreate(group, context);
  addList(group, context);
  addRevoke(group, context);
}

function addCreate(group: Command, context: CliContext): void {
  defineCommand(group, "create", {
    summary: "Create an API key and print it; it is not shown again",
    examples: ["oc key create --name ci", "oc key create --name ci > ci-key"],
  })
    .requiredOption("--name <name>", "name that identifies the key in lists")
    .action(async (_options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const { name } = readOptions(command, createOptionsSchema);
      const creating = ApiKey.create({ ...(await invocation.connection()), name });
      const created = await invocation.progress("Creating the key", creating);
      invocation.note(`Key ${created.id} is shown only once: store it safely.`);
      invocation.print(created.key, created);
    });
}

function addList(group: Command, context: CliContext): void {
  defineCommand(group, "list", {
    summary: "List API keys, without their values",
    examples: ["oc key list", "oc key list --json"],
  }).action(async (_options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const listing = ApiKey.list(await invocation.connection());
    const keys = await invocation.progress("Listing keys", listing);
    const now = Date.now();
    const rows = keys.map((key) => [
      key.id,
      key.name,
      key.prefix === "" ? "-" : `${key.prefix}…`,
      key.lastUsedAt === undefined ? "never" : `${formatAge(key.lastUsedAt, now)} ago`,
      formatAge(key.createdAt, now),
    ]);
    invocation.printTable(["ID", "NAME", "KEY", "LAST USED", "AGE"], rows, keys);
  });
}

function addRevoke(group: Command, context: CliContext): void {
  defineCommand(group, "revoke <key-id>", {
    summary: "Revoke an API key; requests with it are refused at once",
    examples: ["oc key revoke <key-id>"],
  }).action(async (id: string, _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const revoking = ApiKey.revoke(id, await invocation.connection());
    await invocation.progress("Revoking the key", revoking);
    invocation.print(`Revoked ${id}`, { id, status: "revoked" });
  });
}
