import { Sandbox, type SandboxTags } from "@opencomputer/sdk";
import { Argument, type Command } from "commander";
import { z } from "zod";
import { defineCommand, defineGroup, readOptions } from "../arguments/define-command.ts";
import { collectPairs } from "../arguments/option-parsers.ts";
import { type CliContext, CliError } from "../cli-context.ts";
import { type Invocation, openInvocation } from "../invocation.ts";
import { formatFields } from "../output/table.ts";

type Tags = SandboxTags["tags"];

const setOptionsSchema = z.object({ replace: z.boolean().default(false) });

/** `oc tag`: the tags of sandboxes. */
export function addTag(program: Command, context: CliContext): void {
  const group = defineGroup(program, "tag", {
    summary: "Manage the tags of sandboxes",
    examples: [
      "oc tag set sb-abc123 team=search env=prod",
      "oc tag list sb-abc123",
      "oc tag delete sb-abc123 env",
    ],
  });
  addSet(group, context);
  addList(group, context);
  addDelete(group, context);
}

function addSet(group: Command, context: CliContext): void {
  defineCommand(group, "set <sandbox-id>", {
    summary: "Set tags of a sandbox, keep its others, and print all",
    examples: [
      "oc tag set sb-abc123 team=search env=prod",
      "oc tag set sb-abc123 --replace team=search   # and no other",
    ],
  })
    .addArgument(
      new Argument("[key=value...]", "tags; a value may be empty").argParser(collectPairs),
    )
    .option("--replace", "remove the tags that are not given")
    .action(async (id: string, given: Tags | [], _options: unknown, command: Command) => {
      // Commander passes an empty array where there is no tag.
      const chosen: Tags = Array.isArray(given) ? {} : given;
      const invocation = openInvocation(context, command);
      const { replace } = readOptions(command, setOptionsSchema);
      if (Object.keys(chosen).length === 0 && !replace) {
        throw new CliError("invalid_usage", "Expected at least one tag, as KEY=VALUE");
      }
      const connecting = Sandbox.connect(id, await invocation.connection());
      const setting = connecting.then((sandbox) =>
        replace ? sandbox.setTags(chosen) : sandbox.updateTags(chosen),
      );
      printTags(invocation, id, await invocation.progress("Setting tags", setting));
    });
}

function addList(group: Command, context: CliContext): void {
  defineCommand(group, "list [sandbox-id]", {
    summary: "List the tags of a sandbox; without an id, the keys in use",
    examples: ["oc tag list sb-abc123", "oc tag list --json"],
  }).action(async (id: string | undefined, _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const connection = await invocation.connection();
    if (id !== undefined) {
      const getting = Sandbox.connect(id, connection).then((sandbox) => sandbox.getTags());
      return printTags(invocation, id, await invocation.progress("Listing tags", getting));
    }
    const keys = await invocation.progress("Listing tags", Sandbox.listTagKeys(connection));
    if (keys.length === 0) invocation.note("No tags. Set one with: oc tag set <id> KEY=VALUE");
    const rows = keys.map((entry) => [
      entry.key,
      String(entry.sandboxCount),
      String(entry.valueCount),
    ]);
    invocation.printTable(["KEY", "SANDBOXES", "VALUES"], rows, keys);
  });
}

function addDelete(group: Command, context: CliContext): void {
  defineCommand(group, "delete <sandbox-id> <key...>", {
    summary: "Delete tags of a sandbox and print the remaining ones",
    examples: ["oc tag delete sb-abc123 env"],
  }).action(async (id: string, keys: string[], _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const connecting = Sandbox.connect(id, await invocation.connection());
    const deleting = connecting.then(async (sandbox) => {
      const { tags } = await sandbox.getTags();
      const absent = keys.find((key) => !Object.hasOwn(tags, key));
      if (absent !== undefined) throw tagNotFound(id, absent, Object.keys(tags));
      return sandbox.updateTags(Object.fromEntries(keys.map((key) => [key, null])));
    });
    printTags(invocation, id, await invocation.progress("Deleting tags", deleting));
  });
}

function printTags(invocation: Invocation, id: string, result: SandboxTags): void {
  const entries = Object.entries(result.tags).toSorted(([one], [other]) => (one < other ? -1 : 1));
  if (entries.length === 0) invocation.note(`${id} has no tags`);
  invocation.print(entries.length === 0 ? "" : formatFields(entries), result);
}

function tagNotFound(id: string, key: string, present: readonly string[]): CliError {
  const found = present.length === 0 ? "no tags" : `the tags ${present.toSorted().join(", ")}`;
  return new CliError("tag_not_found", `Tag not found: ${key}. ${id} has ${found}`);
}
