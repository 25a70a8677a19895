import { Sandbox } from "@opencomputer/sdk";
import type { Command } from "commander";
import { defineCommand } from "../../arguments/define-command.ts";
import type { CliContext } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";

/** Adds `reboot`, which ends processes first, and `power-cycle`, which does not. */
export function addReboot(parent: Command, context: CliContext): void {
  defineCommand(parent, "reboot <sandbox-id>", {
    summary: "End the processes of a sandbox, and boot it from its disk",
    examples: ["oc sandbox reboot sb-abc123"],
  }).action(async (id: string, _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const finding = Sandbox.connect(id, await invocation.connection());
    const rebooting = finding.then((sandbox) => sandbox.reboot());
    await invocation.progress("Rebooting the sandbox", rebooting);
    invocation.print(`Rebooted ${id}`, { sandboxID: id, status: "running" });
  });

  defineCommand(parent, "power-cycle <sandbox-id>", {
    summary: "Power off a sandbox without ending its processes, and boot it from its disk",
    examples: ["oc sandbox power-cycle sb-abc123"],
  }).action(async (id: string, _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const finding = Sandbox.connect(id, await invocation.connection());
    const cycling = finding.then((sandbox) => sandbox.powerCycle());
    await invocation.progress("Power-cycling the sandbox", cycling);
    invocation.print(`Power-cycled ${id}`, { sandboxID: id, status: "running" });
  });
}
