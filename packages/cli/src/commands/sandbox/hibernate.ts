import { Sandbox } from "@opencomputer/sdk";
import type { Command } from "commander";
import { defineCommand } from "../../arguments/define-command.ts";
import type { CliContext } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";
import { formatSize } from "../../output/size.ts";

export function addHibernate(parent: Command, context: CliContext): void {
  defineCommand(parent, "hibernate <id>", {
    summary: "Save a sandbox with its memory and stop it; its next use wakes it",
    examples: ["oc sandbox hibernate sb-abc123"],
  }).action(async (id: string, _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const connection = await invocation.connection();
    const hibernating = async () => (await Sandbox.connect(id, connection)).hibernate();
    const hibernated = await invocation.progress("Hibernating the sandbox", hibernating());
    invocation.print(`Hibernated ${id} (${formatSize(hibernated.sizeBytes)})`, hibernated);
  });
}
