import { defaults, Sandbox } from "@opencomputer/sdk";
import type { Command } from "commander";
import { z } from "zod";
import { defineCommand, readOptions } from "../../arguments/define-command.ts";
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

const optionsSchema = z.object({
  timeout: z.number(),
  idle: z.enum(idleRules).optional(),
  cpu: z.number(),
  memory: z.number(),
  disk: z.number(),
  template: z.string().optional(),
  env: z.record(z.string(), z.string()).optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  project: z.string().optional(),
  secretStore: z.string().optional(),
  snapshot: z.string().optional(),
  previewAuth: z.boolean().default(false),
  previewAuthToken: z.string().optional(),
  webhook: z.array(z.string()).optional(),
});

export function addCreate(parent: Command, context: CliContext): void {
  defineCommand(parent, "create", {
    summary: "Create a sandbox and print its id",
    examples: [
      "oc create",
      "oc create --timeout 600 --cpu 2 --memory 1024 --env NODE_ENV=production",
      "oc create --secret-store my-agent-secrets",
      "oc create --idle cpu                  # background work keeps it awake",
      "oc create --snapshot data-pipeline --secret-store worker-1-keys",
      "oc create --preview-auth",
      "oc create --webhook https://example.com/hook",
      "oc create --project my-agent          # size, time-out and secrets of the project",
      "id=$(oc create) && oc exec $id -- uname -a",
    ],
  })
    .option(
      "--timeout <seconds>",
      "idle time-out; 0 disables it; with --project, that of the project unless given",
      wholeNumber,
      defaults.idleTimeoutSeconds,
    )
    .addOption(createIdleOption("requests"))
    .option("--cpu <count>", "virtual CPUs, 1 to 8; 0: the project's, or 1", wholeNumber, 0)
    .option(
      "--memory <MB>",
      "memory in MB, 256 to 16384; 0: the project's, or 1024",
      wholeNumber,
      0,
    )
    .option("--disk <MB>", "disk in MB, 20480 to 262144; 0: 20480", wholeNumber, 0)
    .option("--template <name>", "template (default: base)")
    .option("--env <NAME=VALUE>", "environment variable (repeatable)", collectVariables)
    .option("--metadata <KEY=VALUE>", "metadata (repeatable)", collectPairs)
    .option("--project <name>", "name of the project whose settings and secrets it gets")
    .option(
      "--secret-store <name>",
      "name of the secret store whose secrets the sandbox gets, as sealed tokens",
    )
    .option("--snapshot <name>", "name of the snapshot to start from")
    .option("--preview-auth", "require a token for previews, which is printed once")
    .option(
      "--preview-auth-token <token>",
      "token for previews, at least 16 characters (implies --preview-auth)",
    )
    .option(
      "--webhook <url>",
      "URL that events of the sandbox are posted to; its secret is printed once (repeatable)",
      collect,
    )
    .action(async (_options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const options = readOptions(command, optionsSchema);
      const hasProject = options.project !== undefined && options.project !== "";
      const leavesTimeoutToProject =
        hasProject && command.getOptionValueSource("timeout") === "default";
      const create = {
        ...(await invocation.connection()),
        timeout: leavesTimeoutToProject ? undefined : options.timeout,
        idle: options.idle,
        cpuCount: options.cpu || undefined,
        memoryMB: options.memory || undefined,
        diskMB: options.disk || undefined,
        templateID: options.template,
        envs: options.env,
        metadata: options.metadata,
        project: options.project,
        secretStore: options.secretStore,
        snapshot: options.snapshot,
        previewAuth: previewAuthOf(options),
        webhooks: options.webhook?.map((url) => ({ url })),
      };
      const sandbox =
        options.snapshot === undefined
          ? await invocation.progress("Creating a sandbox", Sandbox.create(create))
          : await invocation.build("Creating a sandbox", (onBuildLog) =>
              Sandbox.create({ ...create, onBuildLog }),
            );
      // In a request with a project, 0 means that no time-out was chosen.
      const isEndless = hasProject && create.timeout === 0;
      if (isEndless) await sandbox.setTimeout(0);
      const info = isEndless ? { ...sandbox.info, endAt: null } : sandbox.info;
      if (info.previewAuthToken !== undefined && options.previewAuthToken === undefined) {
        invocation.note(`Preview token, shown only once: ${info.previewAuthToken}`);
      }
      for (const { id, url, secret } of info.webhooks ?? []) {
        invocation.note(`Webhook ${id} to ${url}, secret shown only once: ${secret}`);
      }
      invocation.print(info.sandboxID, info);
    });
}

function previewAuthOf({ previewAuth, previewAuthToken }: z.output<typeof optionsSchema>) {
  if (previewAuthToken !== undefined) return { token: previewAuthToken };
  return previewAuth ? { token: "auto" } : undefined;
}
