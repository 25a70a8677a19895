import { Project, type ProjectRecord } from "@opencomputer/sdk";
import type { Command } from "commander";
import { z } from "zod";
import { defineCommand, defineGroup, readOptions } from "../../arguments/define-command.ts";
import {
  addEgressAllowlistOption,
  addEgressAllowlistOptions,
  chosenEgressAllowlist,
  egressAllowlistSchema,
  formatEgressAllowlist,
} from "../../arguments/egress-allowlist-options.ts";
import { wholeNumber } from "../../arguments/option-parsers.ts";
import type { CliContext } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";
import { formatFields } from "../../output/table.ts";
import { addGetAndDelete } from "./get-and-delete.ts";

const optionsSchema = egressAllowlistSchema.extend({
  template: z.string().optional(),
  cpu: z.number().optional(),
  memory: z.number().optional(),
  timeout: z.number().optional(),
});
const createOptionsSchema = optionsSchema.extend({ name: z.string() });
const updateOptionsSchema = optionsSchema.extend({ name: z.string().optional() });

/** `oc project`: defaults and secrets that sandboxes share. */
export function addProject(program: Command, context: CliContext): void {
  const group = defineGroup(program, "project", {
    summary: "Manage projects",
    examples: [
      "oc project create --name my-agent --cpu 2 --memory 1024 --timeout 600",
      "oc create --project my-agent",
    ],
  });
  addCreate(group, context);
  addList(group, context);
  addUpdate(group, context);
  addGetAndDelete(group, context, {
    noun: "project",
    group: "project",
    argument: "<project-id>",
    get: Project.get,
    delete: Project.delete,
    format: formatProject,
  });
}

function addCreate(group: Command, context: CliContext): void {
  const command = defineCommand(group, "create", {
    summary: "Create a project and print its id",
    examples: ["oc project create --name my-agent --cpu 2 --memory 1024 --timeout 600"],
  })
    .requiredOption("--name <name>", "name, unique in the org")
    .option("--template <name>", "default template for sandboxes")
    .option("--cpu <count>", "default number of virtual CPUs, 1 to 8", wholeNumber)
    .option("--memory <MB>", "default memory in MB, 256 to 16384", wholeNumber)
    .option("--timeout <seconds>", "default idle time-out", wholeNumber);
  addEgressAllowlistOption(command).action(async (_options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const options = readOptions(command, createOptionsSchema);
    const creating = Project.create({
      ...(await invocation.connection()),
      ...{ name: options.name, ...projectFields(options) },
    });
    const project = await invocation.progress("Creating the project", creating);
    invocation.print(project.id, project);
  });
}

function addList(group: Command, context: CliContext): void {
  defineCommand(group, "list", {
    summary: "List projects",
    examples: ["oc project list", "oc project list --json"],
  }).action(async (_options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const listing = Project.list(await invocation.connection());
    const projects = await invocation.progress("Listing projects", listing);
    if (projects.length === 0) {
      invocation.note("No projects. Create one with: oc project create --name NAME");
    }
    const rows = projects.map((project) => [
      project.id,
      project.name,
      project.template || "default",
      numberOrDash(project.cpuCount),
      numberOrDash(project.memoryMB),
      numberOrDash(project.timeoutSec),
    ]);
    const head = ["ID", "NAME", "TEMPLATE", "CPU", "MEMORY", "TIMEOUT"];
    invocation.printTable(head, rows, projects);
  });
}

function addUpdate(group: Command, context: CliContext): void {
  const command = defineCommand(group, "update <project-id>", {
    summary: "Change a project; only what you pass is changed",
    examples: [
      "oc project update <project-id> --memory 2048",
      "oc project update <project-id> --egress-allowlist api.anthropic.com",
    ],
  })
    .option("--name <name>", "new name")
    .option("--template <name>", "new default template")
    .option("--cpu <count>", "new default number of virtual CPUs, 1 to 8", wholeNumber)
    .option("--memory <MB>", "new default memory in MB, 256 to 16384", wholeNumber)
    .option("--timeout <seconds>", "new default idle time-out", wholeNumber);
  addEgressAllowlistOptions(command).action(
    async (id: string, _options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const options = readOptions(command, updateOptionsSchema);
      const updating = Project.update(id, {
        ...(await invocation.connection()),
        ...{ name: options.name, ...projectFields(options) },
      });
      const project = await invocation.progress("Changing the project", updating);
      invocation.print(formatProject(project), project);
    },
  );
}

function projectFields(options: z.output<typeof optionsSchema>) {
  return {
    template: options.template,
    cpuCount: options.cpu,
    memoryMB: options.memory,
    timeoutSec: options.timeout,
    egressAllowlist: chosenEgressAllowlist(options),
  };
}

function formatProject(project: ProjectRecord): string {
  return formatFields([
    ["ID", project.id],
    ["Name", project.name],
    ["Template", project.template || "default"],
    ["CPU", numberOrDash(project.cpuCount)],
    ["Memory", project.memoryMB === 0 ? "-" : `${project.memoryMB} MB`],
    ["Timeout", project.timeoutSec === 0 ? "-" : `${project.timeoutSec} s`],
    ["Egress", formatEgressAllowlist(project.egressAllowlist)],
    ["Created", project.createdAt],
    ["Updated", project.updatedAt],
  ]);
}

/** Zero means the default of the platform. */
function numberOrDash(value: number): string {
  return value === 0 ? "-" : String(value);
}
