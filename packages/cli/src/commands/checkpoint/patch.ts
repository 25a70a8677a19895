import { Sandbox } from "@opencomputer/sdk";
import type { Command } from "commander";
import { z } from "zod";
import { defineCommand, defineGroup, readOptions } from "../../arguments/define-command.ts";
import { readText } from "../../arguments/read-text.ts";
import type { CliContext } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";
import { formatAge } from "../../output/format.ts";

const createOptionsSchema = z.object({ script: z.string(), description: z.string().optional() });

/** Adds `oc patch`: scripts that run in each later fork of a checkpoint. */
export function addPatch(program: Command, context: CliContext): void {
  const group = defineGroup(program, "patch", {
    summary: "Manage scripts that run in each fork of a checkpoint",
    examples: [
      "oc patch create <checkpoint-id> --script update.sh",
      "oc patch list <checkpoint-id>",
      "oc patch delete <checkpoint-id> <patch-id>",
    ],
  });

  defineCommand(group, "create <checkpoint-id>", {
    summary: "Add a script that runs in each later fork, after the existing ones",
    examples: [
      "oc patch create <checkpoint-id> --script update.sh",
      "echo 'git -C /app pull' | oc patch create <checkpoint-id> --script - --description 'latest code'",
    ],
  })
    .requiredOption("--script <file>", "bash script; - reads it from stdin")
    .option("--description <text>", "description for the list of patches")
    .action(async (checkpointId: string, _options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const { script, description } = readOptions(command, createOptionsSchema);
      const creating = Sandbox.createCheckpointPatch(checkpointId, {
        ...(await invocation.connection()),
        script: await readText(context, script),
        description,
      });
      const patch = await invocation.progress("Adding the patch", creating);
      invocation.print(patch.id, patch);
    });

  defineCommand(group, "list <checkpoint-id>", {
    summary: "List the patches of a checkpoint in the order in which they run",
    examples: ["oc patch list <checkpoint-id>"],
  }).action(async (checkpointId: string, _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const connection = await invocation.connection();
    const listing = Sandbox.listCheckpointPatches(checkpointId, connection);
    const patches = await invocation.progress("Listing patches", listing);
    if (patches.length === 0) invocation.note("No patches.");
    const rows = patches.map(({ id, sequence, description, script, createdAt }) => [
      id,
      String(sequence),
      description || (script.split("\n", 1)[0] ?? ""),
      formatAge(createdAt, Date.now()),
    ]);
    invocation.printTable(["ID", "ORDER", "DESCRIPTION", "AGE"], rows, patches);
  });

  defineCommand(group, "delete <checkpoint-id> <patch-id>", {
    summary: "Delete a patch; forks that ran it do not change",
    examples: ["oc patch delete <checkpoint-id> <patch-id>"],
  }).action(async (checkpointId: string, id: string, _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const connection = await invocation.connection();
    const deleting = Sandbox.deleteCheckpointPatch(checkpointId, id, connection);
    await invocation.progress("Deleting the patch", deleting);
    invocation.print(`Deleted ${id}`, { id, status: "deleted" });
  });
}
