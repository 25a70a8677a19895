import type { Command } from "commander";
import { defineGroup } from "../../arguments/define-command.ts";
import type { CliContext } from "../../cli-context.ts";
import { addExec } from "../exec/exec.ts";
import { addAllowedHosts } from "./allowed-hosts.ts";
import { addCreate } from "./create.ts";
import { addGet } from "./get.ts";
import { addHibernate, addWake } from "./hibernate-and-wake.ts";
import { addKill } from "./kill.ts";
import { addList } from "./list.ts";
import { addReboot } from "./reboot.ts";
import { addScaling } from "./scaling.ts";
import { addSetTimeout } from "./set-timeout.ts";

/** Adds `oc sandbox`: all commands of sandboxes, including those with a short form. */
export function addSandbox(
  program: Command,
  context: CliContext,
  onExitCode: (exitCode: number) => void,
): void {
  const sandbox = defineGroup(program, "sandbox", {
    summary: "Manage sandboxes",
    examples: ["oc sandbox create", "oc sandbox list", "oc sandbox allowed-hosts sb-abc123"],
  });
  addCreate(sandbox, context);
  addList(sandbox, "list", context);
  addGet(sandbox, context);
  addExec(sandbox, context, onExitCode);
  addKill(sandbox, context);
  addHibernate(sandbox, context);
  addWake(sandbox, context);
  addSetTimeout(sandbox, context);
  addScaling(sandbox, context);
  addReboot(sandbox, context);
  addAllowedHosts(sandbox, context);
}
