import { Sandbox } from "@opencomputer/sdk";
import { Argument, type Command } from "commander";
import { defineCommand } from "../../arguments/define-command.ts";
import { wholeNumber } from "../../arguments/option-parsers.ts";
import type { CliContext } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";

export function addSetTimeout(parent: Command, context: CliContext): void {
  defineCommand(parent, "set-timeout <sandbox-id>", {
    summary: "Set the idle time-out of a running sandbox",
    examples: [
      "oc sandbox set-timeout sb-abc123 600",
      "oc sandbox set-timeout sb-abc123 0     # no time-out",
    ],
  })
    .addArgument(
      new Argument(
        "<seconds>",
        "idle time-out, from now and again from each use; 0 disables it",
      ).argParser(wholeNumber),
    )
    .action(async (id: string, seconds: number, _options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const finding = Sandbox.connect(id, await invocation.connection());
      const setting = finding.then((sandbox) => sandbox.setTimeout(seconds));
      await invocation.progress("Setting the time-out", setting);
      invocation.print(
        seconds === 0
          ? `${id} has no idle time-out now`
          : `${id} has an idle time-out of ${seconds} s now`,
        { sandboxID: id, timeout: seconds },
      );
    });
}
