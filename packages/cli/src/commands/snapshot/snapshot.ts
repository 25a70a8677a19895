import { type SnapshotRecord, Snapshots } from "@opencomputer/sdk";
import type { Command } from "commander";
import { z } from "zod";
import { defineCommand, defineGroup, readOptions } from "../../arguments/define-command.ts";
import { wholeNumber } from "../../arguments/option-parsers.ts";
import type { CliContext } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";
import { formatAge } from "../../output/format.ts";
import { formatFields } from "../../output/table.ts";
import { addImageOptions } from "./image-options.ts";

const createOptionsSchema = z.object({
  name: z.string(),
  manifest: z.string().optional(),
  builderMemory: z.number().optional(),
});

/** Adds `oc snapshot`: named images that sandboxes start from. */
export function addSnapshot(program: Command, context: CliContext): void {
  const group = defineGroup(program, "snapshot", {
    summary: "Build images that sandboxes start from",
    examples: [
      "oc snapshot create --name data-pipeline --apt-install ffmpeg --pip-install pandas",
      "oc snapshot list",
      "oc create --snapshot data-pipeline --secret-store worker-1-keys",
    ],
  });
  addCreate(group, context);
  addList(group, context);
  addGet(group, context);
  addDelete(group, context);
}

function addCreate(group: Command, context: CliContext): void {
  const command = defineCommand(group, "create", {
    summary: "Build an image, step by step in the order of the flags, and give it a name",
    examples: [
      "oc snapshot create --name data-pipeline --apt-install ffmpeg --pip-install pandas",
      "oc snapshot create --name app --workdir /app --add ./src:/app --run 'npm ci' --env NODE_ENV=production",
      "oc snapshot create --name app --manifest image.json",
    ],
  }).requiredOption("--name <name>", "name, unique in the org");
  const readImage = addImageOptions(command, context);
  command
    .option(
      "--builder-memory <MB>",
      "memory in MB of the sandbox that builds it, 256 to 16384 (default: 1024)",
      wholeNumber,
    )
    .action(async (_options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const { name, manifest, builderMemory } = readOptions(command, createOptionsSchema);
      const image = await readImage(manifest);
      const snapshots = new Snapshots(await invocation.connection());
      const snapshot = await invocation.build(`Building ${name}`, (onBuildLog) =>
        snapshots.create({
          name,
          image: builderMemory === undefined ? image : image.builderMemory(builderMemory),
          onBuildLog,
        }),
      );
      invocation.print(`Created ${name}`, snapshot);
    });
}

function addList(group: Command, context: CliContext): void {
  defineCommand(group, "list", {
    summary: "List snapshots",
    examples: ["oc snapshot list", "oc snapshot list --json"],
  }).action(async (_options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const snapshots = new Snapshots(await invocation.connection());
    const listed = await invocation.progress("Listing snapshots", snapshots.list());
    if (listed.length === 0) {
      invocation.note("No snapshots. Create one with: oc snapshot create --name NAME");
    }
    const rows = listed.map(({ name, status, manifest, lastUsedAt, createdAt }) => [
      name,
      status,
      String(manifest.steps.length),
      lastUsedAt === null ? "never" : `${formatAge(lastUsedAt, Date.now())} ago`,
      formatAge(createdAt, Date.now()),
    ]);
    invocation.printTable(["NAME", "STATUS", "STEPS", "LAST USED", "AGE"], rows, listed);
  });
}

function addGet(group: Command, context: CliContext): void {
  defineCommand(group, "get <name>", {
    summary: "Show a snapshot and the steps of its image",
    examples: ["oc snapshot get data-pipeline", "oc snapshot get data-pipeline --json"],
  }).action(async (name: string, _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const snapshots = new Snapshots(await invocation.connection());
    const snapshot = await invocation.progress("Getting the snapshot", snapshots.get(name));
    invocation.print(formatSnapshot(snapshot), snapshot);
  });
}

function addDelete(group: Command, context: CliContext): void {
  defineCommand(group, "delete <name>", {
    summary: "Delete a snapshot; sandboxes created from it keep running",
    examples: ["oc snapshot delete data-pipeline"],
  }).action(async (name: string, _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const snapshots = new Snapshots(await invocation.connection());
    await invocation.progress("Deleting the snapshot", snapshots.delete(name));
    invocation.print(`Deleted ${name}`, { name, status: "deleted" });
  });
}

function formatSnapshot(snapshot: SnapshotRecord): string {
  const failure: [string, string][] =
    snapshot.failure === undefined ? [] : [["Failure", snapshot.failure]];
  return formatFields([
    ["Name", snapshot.name],
    ["ID", snapshot.id],
    ["Status", snapshot.status],
    ...failure,
    ["Content", snapshot.contentHash],
    ["Created", snapshot.createdAt],
    ["Last used", snapshot.lastUsedAt ?? "never"],
    ...snapshot.manifest.steps.map(
      (step, index) => [`Step ${index + 1}`, describeStep(step)] as const,
    ),
  ]);
}

function describeStep({ type, args }: SnapshotRecord["manifest"]["steps"][number]): string {
  switch (type) {
    case "apt_install":
    case "pip_install":
      return `${type} ${args.packages.join(" ")}`;
    case "run":
      return `${type} ${args.commands.join("; ")}`;
    case "env":
      return `${type} ${Object.keys(args.vars).join(" ")}`;
    case "add_dir":
      return `${type} ${args.path} (${args.files.length} files)`;
    default:
      return `${type} ${args.path}`;
  }
}
