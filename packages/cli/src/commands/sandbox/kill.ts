import { Sandbox } from "@opencomputer/sdk";
import type { Command } from "commander";
import { z } from "zod";
import { defineCommand, readOptions } from "../../arguments/define-command.ts";
import type { CliContext } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";

const optionsSchema = z.object({ deleteSecretStore: z.boolean().optional() });

export function addKill(parent: Command, context: CliContext): void {
  defineCommand(parent, "kill <sandbox-id>", {
    summary: "Stop a sandbox and delete its memory and disk",
    examples: [
      "oc kill sb-abc123",
      "oc sandbox delete sb-abc123",
      "oc kill sb-abc123 --delete-secret-store",
    ],
  })
    .alias("delete")
    .option(
      "--delete-secret-store",
      "also delete the secret store that it was created with; refused while it is used elsewhere",
    )
    .action(async (id: string, _options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const { deleteSecretStore = false } = readOptions(command, optionsSchema);
      const connection = await invocation.connection();
      const killing = Sandbox.kill(id, { ...connection, deleteSecretStore });
      await invocation.progress("Killing the sandbox", killing);
      invocation.print(`Killed ${id}`, { sandboxID: id, status: "stopped" });
    });
}
