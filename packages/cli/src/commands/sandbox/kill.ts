import { Sandbox } from "@opencomputer/sdk";
import type { Command } from "commander";
import { defineCommand } from "../../arguments/define-command.ts";
import type { CliContext } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";

export function addKill(parent: Command, context: CliContext): void {
  defineCommand(parent, "kill <id>", {
    summary: "End a sandbox and remove all it held",
    examples: ["oc kill sb-abc123", "oc sandbox delete sb-abc123"],
  })
    .alias("delete")
    .action(async (id: string, _options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const killing = Sandbox.kill(id, await invocation.connection());
      await invocation.progress("Ending the sandbox", killing);
      invocation.print(`Killed ${id}`, { sandboxID: id, status: "stopped" });
    });
}
