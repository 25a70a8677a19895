import { EgressLog } from "@opencomputer/sdk";
import type { Command } from "commander";
import { z } from "zod";
import { defineCommand, readOptions } from "../../arguments/define-command.ts";
import type { CliContext } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";
import { formatExplanation } from "./format-egress.ts";

const optionsSchema = z.object({ method: z.string().optional() });

/** `oc explain`: what would happen to a request of a sandbox. */
export function addExplain(program: Command, context: CliContext): void {
  defineCommand(program, "explain <sandbox-id> <url>", {
    summary:
      "Explain what would happen to a request of a sandbox and which rule decides, without sending it",
    examples: [
      "oc explain sb-abc123 https://api.anthropic.com/v1/messages",
      "oc explain sb-abc123 tcp://db.example.com:5432 --json",
    ],
  })
    .option("--method <method>", "HTTP method (default: GET)")
    .action(async (id: string, url: string, _options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const { method } = readOptions(command, optionsSchema);
      const log = new EgressLog(id, await invocation.connection());
      const explaining = log.explain(url, { method });
      const explanation = await invocation.progress("Explaining the request", explaining);
      invocation.print(formatExplanation(explanation), explanation);
    });
}
