import { Sandbox } from "@opencomputer/sdk";
import type { Command } from "commander";
import { z } from "zod";
import { defineCommand, readOptions } from "../../arguments/define-command.ts";
import type { CliContext } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";

const optionsSchema = z.object({ deleteSecretStore: z.boolean().optional() });

export function addKill(parent: Command, context: CliContext): void {
  defineCommand(parent, "kill <id>", {
    summary: "End a sandbox and remove all it held",
    examples: [
      "oc kill sb-abc123",
      "oc sandbox delete sb-abc123",
      "oc kill sb-abc123 --delete-secret-store",
    ],
  })
    .alias("delete")
    .option(
      "--delete-secret-store",
      "also delete the secret store it was created with; refused while something else uses it",
    )
    .action(async (id: string, _options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const { deleteSecretStore = false } = readOptions(command, optionsSchema);
      const connection = await invocation.connection();
      const killing = Sandbox.kill(id, { ...connection, deleteSecretStore });
      await invocation.progress("Ending the sandbox", killing);
      invocation.print(`Killed ${id}`, { sandboxID: id, status: "stopped" });
    });
}
