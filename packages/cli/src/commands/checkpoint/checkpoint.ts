import { type CheckpointRecord, Sandbox } from "@opencomputer/sdk";
import { type Command, Option } from "commander";
import { z } from "zod";
import { defineCommand, defineGroup, readOptions } from "../../arguments/define-command.ts";
import {
  collect,
  collectPairs,
  collectVariables,
  createIdleOption,
  idleRules,
  wholeNumber,
} from "../../arguments/option-parsers.ts";
import type { CliContext } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";
import { formatAge, formatSize } from "../../output/format.ts";

const kinds = ["full", "disk_only"] as const;
const retentionModes = ["none", "delete_oldest"] as const;
const createOptionsSchema = z.object({
  name: z.string(),
  kind: z.enum(kinds),
  retentionPolicy: z.enum(retentionModes).optional(),
  retentionMaxCount: z.number().optional(),
  wait: z.boolean().default(false),
});
const spawnOptionsSchema = z.object({
  timeout: z.number().optional(),
  idle: z.enum(idleRules).optional(),
  secretStore: z.string().optional(),
  env: z.record(z.string(), z.string()).optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  memory: z.number().optional(),
  restartSession: z.array(z.string()).optional(),
});

/** `oc checkpoint`, or `oc cp`: saved states of sandboxes. */
export function addCheckpoint(program: Command, context: CliContext): void {
  const group = defineGroup(program, "checkpoint", {
    summary: "Save the state of sandboxes, restore it, and fork from it",
    examples: [
      "oc checkpoint create sb-abc123 --name repo-cloned",
      "oc checkpoint list sb-abc123",
      "oc cp spawn <checkpoint-id> --secret-store worker-1-keys",
    ],
  }).alias("cp");
  addCreate(group, context);
  addList(group, context);
  addRestore(group, context);
  addSpawn(group, context);
  addDelete(group, context);
}

function addCreate(group: Command, context: CliContext): void {
  defineCommand(group, "create <sandbox-id>", {
    summary: "Start a checkpoint of a sandbox, which keeps running, and print its id",
    examples: [
      "oc checkpoint create sb-abc123 --name repo-cloned",
      "oc checkpoint create sb-abc123 --name nightly --kind disk_only --retention-policy delete_oldest",
    ],
  })
    .requiredOption("--name <name>", "name, unique among the sandbox's checkpoints")
    .addOption(
      new Option("--kind <kind>", "full saves memory and disk, disk_only the disk alone")
        .choices(kinds)
        .default("full"),
    )
    .addOption(
      new Option(
        "--retention-policy <mode>",
        "what a create at the limit does: fail (none), or delete the oldest",
      ).choices(retentionModes),
    )
    .option(
      "--retention-max-count <count>",
      "limit for this kind that applies to this create, below that of the service",
      wholeNumber,
    )
    .option("--wait", "wait until it is ready; exit with an error if it fails")
    .action(async (id: string, _options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const options = readOptions(command, createOptionsSchema);
      const { name, kind, retentionPolicy, retentionMaxCount, wait } = options;
      const retention =
        retentionPolicy === undefined && retentionMaxCount === undefined
          ? undefined
          : { mode: retentionPolicy ?? "none", maxCount: retentionMaxCount };
      const connection = await invocation.connection();
      const creating = async () => {
        const sandbox = await Sandbox.connect(id, connection);
        return sandbox.createCheckpoint(name, { kind, retentionPolicy: retention, wait });
      };
      const checkpoint = await invocation.progress("Creating the checkpoint", creating());
      invocation.print(checkpoint.id, checkpoint);
    });
}

function addList(group: Command, context: CliContext): void {
  defineCommand(group, "list <sandbox-id>", {
    summary: "List the checkpoints of a sandbox, even of one that was killed",
    examples: ["oc checkpoint list sb-abc123", "oc cp list sb-abc123 --json"],
  }).action(async (id: string, _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const connection = await invocation.connection();
    const listing = Sandbox.listCheckpoints(id, connection);
    const checkpoints = await invocation.progress("Listing checkpoints", listing);
    if (checkpoints.length === 0) {
      invocation.note(`No checkpoints. Create one with: oc checkpoint create ${id} --name NAME`);
    }
    const rows = checkpoints.map((checkpoint) => [
      checkpoint.id,
      checkpoint.name,
      checkpoint.kind,
      statusOf(checkpoint),
      checkpoint.status === "ready" ? formatSize(checkpoint.sizeBytes) : "-",
      formatAge(checkpoint.createdAt, Date.now()),
    ]);
    invocation.printTable(["ID", "NAME", "KIND", "STATUS", "SIZE", "AGE"], rows, checkpoints);
  });
}

function addRestore(group: Command, context: CliContext): void {
  defineCommand(group, "restore <sandbox-id> <checkpoint-id>", {
    summary: "Restore a sandbox to one of its checkpoints; later changes are lost",
    examples: ["oc checkpoint restore sb-abc123 <checkpoint-id>"],
  }).action(async (id: string, checkpointId: string, _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const connection = await invocation.connection();
    const restoring = async () =>
      (await Sandbox.connect(id, connection)).restoreCheckpoint(checkpointId);
    const restored = await invocation.progress("Restoring the checkpoint", restoring());
    invocation.print(`Restored ${id} to ${checkpointId}`, restored);
  });
}

function addSpawn(group: Command, context: CliContext): void {
  defineCommand(group, "spawn <checkpoint-id>", {
    summary: "Create a sandbox from a checkpoint and print its id",
    examples: [
      "oc checkpoint spawn <checkpoint-id>",
      "oc checkpoint spawn <checkpoint-id> --timeout 600 --secret-store worker-1-keys",
      "id=$(oc cp spawn <checkpoint-id>) && oc exec $id -- uname -a",
    ],
  })
    .option(
      "--timeout <seconds>",
      "idle time-out; 0 disables it (default: the parent's)",
      wholeNumber,
    )
    .addOption(createIdleOption("the parent's"))
    .option(
      "--secret-store <name>",
      "secret store whose secrets are added to the checkpoint's, or replace them",
    )
    .option("--env <NAME=VALUE>", "environment variable (repeatable)", collectVariables)
    .option("--metadata <KEY=VALUE>", "metadata (repeatable)", collectPairs)
    .option("--memory <MB>", "memory in MB (default: the parent's)", wholeNumber)
    .option(
      "--restart-session <id>",
      "command session to restart in the fork (repeatable)",
      collect,
    )
    .action(async (checkpointId: string, _options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const options = readOptions(command, spawnOptionsSchema);
      const spawning = Sandbox.createFromCheckpoint(checkpointId, {
        ...(await invocation.connection()),
        timeout: options.timeout,
        idle: options.idle,
        secretStore: options.secretStore,
        envs: options.env,
        metadata: options.metadata,
        memoryMB: options.memory,
        restartSessions: options.restartSession,
      });
      const { info } = await invocation.progress("Creating a sandbox", spawning);
      if (info.patchError !== undefined) {
        invocation.warn(`a patch failed in ${info.sandboxID}: ${info.patchError}`);
      }
      if (info.hookError !== undefined) {
        invocation.warn(`a hook failed in ${info.sandboxID}: ${info.hookError}`);
      }
      invocation.print(info.sandboxID, info);
    });
}

function addDelete(group: Command, context: CliContext): void {
  defineCommand(group, "delete <sandbox-id> <checkpoint-id>", {
    summary: "Delete a checkpoint; sandboxes created from it keep running",
    examples: ["oc checkpoint delete sb-abc123 <checkpoint-id>"],
  }).action(async (id: string, checkpointId: string, _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const connection = await invocation.connection();
    const deleting = Sandbox.deleteCheckpoint(id, checkpointId, connection);
    await invocation.progress("Deleting the checkpoint", deleting);
    invocation.print(`Deleted ${checkpointId}`, { id: checkpointId, status: "deleted" });
  });
}

function statusOf({ status, failure }: CheckpointRecord): string {
  return failure === undefined ? status : `${status}: ${failure}`;
}
