import type { ConnectionOptions } from "@opencomputer/sdk";
import type { Command } from "commander";
import { defineCommand } from "../../arguments/define-command.ts";
import type { CliContext } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";

/** A kind of object that has a UUID and owns secrets. */
export interface ObjectKind<Row> {
  /** `project` or `secret store`. */
  noun: string;
  /** The group and the argument on the command line, such as `project` and `<project-id>`. */
  group: string;
  argument: string;
  get(id: string, connection: ConnectionOptions): Promise<Row>;
  delete(id: string, connection: ConnectionOptions): Promise<void>;
  format(row: Row): string;
}

/** Adds the commands `get` and `delete`, which take an id. */
export function addGetAndDelete<Row>(
  group: Command,
  context: CliContext,
  kind: ObjectKind<Row>,
): void {
  defineCommand(group, `get ${kind.argument}`, {
    summary: `Show a ${kind.noun}`,
    examples: [
      `oc ${kind.group} get ${kind.argument}`,
      `oc ${kind.group} get ${kind.argument} --json`,
    ],
  }).action(async (id: string, _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const getting = kind.get(id, await invocation.connection());
    const row = await invocation.progress(`Getting the ${kind.noun}`, getting);
    invocation.print(kind.format(row), row);
  });

  defineCommand(group, `delete ${kind.argument}`, {
    summary: `Delete a ${kind.noun} and its secrets; running sandboxes are not affected`,
    examples: [`oc ${kind.group} delete ${kind.argument}`],
  }).action(async (id: string, _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const deleting = kind.delete(id, await invocation.connection());
    await invocation.progress(`Deleting the ${kind.noun}`, deleting);
    invocation.print(`Deleted ${id}`, { id, status: "deleted" });
  });
}
