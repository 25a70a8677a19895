import { defaults, Sandbox } from "@opencomputer/sdk";
import type { Command } from "commander";
import { z } from "zod";
import { defineCommand, readOptions } from "../../arguments/define-command.ts";
import { wholeNumber } from "../../arguments/option-parsers.ts";
import type { CliContext } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";
import { formatSize } from "../../output/format.ts";

export function addHibernate(parent: Command, context: CliContext): void {
  defineCommand(parent, "hibernate <sandbox-id>", {
    summary: "Save the memory and disk of a sandbox and stop it; its next use wakes it",
    examples: ["oc sandbox hibernate sb-abc123"],
  }).action(async (id: string, _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const connection = await invocation.connection();
    const hibernating = async () => (await Sandbox.connect(id, connection)).hibernate();
    const hibernated = await invocation.progress("Hibernating the sandbox", hibernating());
    invocation.print(`Hibernated ${id} (${formatSize(hibernated.sizeBytes)})`, hibernated);
  });
}

const optionsSchema = z.object({ timeout: z.number() });

export function addWake(parent: Command, context: CliContext): void {
  defineCommand(parent, "wake <sandbox-id>", {
    summary: "Resume a hibernated sandbox",
    examples: ["oc sandbox wake sb-abc123", "oc sandbox wake sb-abc123 --timeout 3600"],
  })
    .option(
      "--timeout <seconds>",
      "idle time-out after waking; 0 disables it",
      wholeNumber,
      defaults.idleTimeoutSeconds,
    )
    .action(async (id: string, _options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const { timeout } = readOptions(command, optionsSchema);
      const connection = await invocation.connection();
      const waking = async () => (await Sandbox.connect(id, connection)).wake({ timeout });
      const woken = await invocation.progress("Waking the sandbox", waking());
      if (woken.memoryLost !== undefined) {
        invocation.warn(`it booted from its disk, without its memory: ${woken.memoryLost}`);
      }
      invocation.print(`Woke ${id}`, woken);
    });
}
