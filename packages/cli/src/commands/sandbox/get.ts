import { Sandbox, type SandboxDetail } from "@opencomputer/sdk";
import type { Command } from "commander";
import { defineCommand } from "../../arguments/define-command.ts";
import type { CliContext } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";
import { formatFields } from "../../output/table.ts";

export function addGet(parent: Command, context: CliContext): void {
  defineCommand(parent, "get <sandbox-id>", {
    summary: "Show a sandbox",
    examples: ["oc get sb-abc123", "oc sandbox get sb-abc123 --json"],
  }).action(async (id: string, _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const getting = Sandbox.get(id, await invocation.connection());
    const sandbox = await invocation.progress("Getting the sandbox", getting);
    invocation.print(formatSandbox(sandbox), sandbox);
  });
}

function formatSandbox(sandbox: SandboxDetail): string {
  const origin: [string, string | undefined][] = [
    ["Project", sandbox.project],
    ["Secret store", sandbox.secretStore],
    ["Base secret store", sandbox.baseSecretStore],
  ];
  return formatFields([
    ["ID", sandbox.sandboxID],
    ["Template", sandbox.template || sandbox.templateID],
    ["Status", sandbox.status],
    ["CPU", String(sandbox.cpuCount)],
    ["Memory", `${sandbox.memoryMB} MB`],
    ["Started", sandbox.startedAt],
    ["Ends", sandbox.endAt ?? "never"],
    ...origin.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])),
    ...Object.entries(sandbox.metadata).map(([key, value]) => [`Metadata ${key}`, value] as const),
    ...Object.entries(sandbox.tags).map(([key, value]) => [`Tag ${key}`, value] as const),
  ]);
}
