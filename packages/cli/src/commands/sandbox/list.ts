import { Sandbox, type SandboxStatus } from "@opencomputer/sdk";
import { type Command, Option } from "commander";
import { z } from "zod";
import { defineCommand, readOptions } from "../../arguments/define-command.ts";
import type { CliContext } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";
import { formatAge } from "../../output/format.ts";

const statuses = ["running", "hibernated", "stopped"] as const satisfies SandboxStatus[];
const optionsSchema = z.object({ status: z.enum(statuses).optional() });

export function addList(parent: Command, name: string, context: CliContext): void {
  defineCommand(parent, name, {
    summary: "List sandboxes",
    examples: ["oc ls", "oc ls --json", "oc sandbox list --status hibernated"],
  })
    .addOption(new Option("--status <status>", "only sandboxes with this status").choices(statuses))
    .action(async (_options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const { status } = readOptions(command, optionsSchema);
      const connection = await invocation.connection();
      const listing = Sandbox.list({ ...connection, status });
      const sandboxes = await invocation.progress("Listing sandboxes", listing);
      if (sandboxes.length === 0) invocation.note("No sandboxes. Create one with: oc create");
      const rows = sandboxes.map((sandbox) => [
        sandbox.sandboxID,
        sandbox.template || sandbox.templateID,
        sandbox.status,
        String(sandbox.cpuCount),
        String(sandbox.memoryMB),
        formatAge(sandbox.startedAt, Date.now()),
      ]);
      const head = ["ID", "TEMPLATE", "STATUS", "CPU", "MEM", "AGE"];
      invocation.printTable(head, rows, sandboxes);
    });
}
