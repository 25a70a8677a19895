import { type Autoscale, Sandbox } from "@opencomputer/sdk";
import { Argument, type Command, Option } from "commander";
import { z } from "zod";
import { defineCommand, readOptions } from "../../arguments/define-command.ts";
import { wholeNumber } from "../../arguments/option-parsers.ts";
import type { CliContext } from "../../cli-context.ts";
import { CliError } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";

/** Adds `scale`, `autoscale`, `lock`, `unlock` and `lock-status`. */
export function addScaling(parent: Command, context: CliContext): void {
  addScale(parent, context);
  addAutoscale(parent, context);
  addLocks(parent, context);
}

function addScale(parent: Command, context: CliContext): void {
  defineCommand(parent, "scale <sandbox-id>", {
    summary: "Change the memory of a sandbox while it runs",
    examples: ["oc sandbox scale sb-abc123 4096"],
  })
    .addArgument(
      new Argument("<memory-mb>", "memory in MB, 256 to 16384; disables autoscale").argParser(
        wholeNumber,
      ),
    )
    .action(async (id: string, memoryMB: number, _options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const finding = Sandbox.connect(id, await invocation.connection());
      const scaling = finding.then((sandbox) => sandbox.scale({ memoryMB }));
      const scaled = await invocation.progress("Scaling the sandbox", scaling);
      const also = scaled.autoscaleDisabled ? "; autoscale is now disabled" : "";
      invocation.print(
        `Scaled ${id} to ${scaled.memoryMB} MB, ${scaled.cpuPercent} % CPU${also}`,
        scaled,
      );
    });
}

const autoscaleOptionsSchema = z.object({
  on: z.boolean().optional(),
  off: z.boolean().optional(),
  min: z.number().optional(),
  max: z.number().optional(),
});

function addAutoscale(parent: Command, context: CliContext): void {
  defineCommand(parent, "autoscale <sandbox-id>", {
    summary: "Scale the memory of a sandbox automatically, or show whether autoscale is enabled",
    examples: [
      "oc sandbox autoscale sb-abc123                             # show",
      "oc sandbox autoscale sb-abc123 --on --min 1024 --max 8192",
      "oc sandbox autoscale sb-abc123 --off",
    ],
  })
    .addOption(new Option("--on", "enable autoscale; requires --min and --max").conflicts("off"))
    .option("--off", "disable autoscale")
    .option("--min <MB>", "minimum memory in MB", wholeNumber)
    .option("--max <MB>", "maximum memory in MB", wholeNumber)
    .action(async (id: string, _options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const { on, off, min, max } = readOptions(command, autoscaleOptionsSchema);
      const hasBounds = min !== undefined && max !== undefined;
      if (on === true && !hasBounds) {
        throw new CliError(
          "invalid_usage",
          "--on requires --min and --max, the bounds of the memory in MB",
        );
      }
      if (on !== true && (min ?? max) !== undefined) {
        throw new CliError("invalid_usage", "--min and --max require --on");
      }
      const connection = await invocation.connection();
      const working = Sandbox.connect(id, connection).then((sandbox) => {
        if (on === true) {
          return sandbox.setAutoscale({ enabled: true, minMemoryMB: min, maxMemoryMB: max });
        }
        return off === true ? sandbox.setAutoscale({ enabled: false }) : sandbox.getAutoscale();
      });
      const autoscale = await invocation.progress("Requesting autoscale", working);
      invocation.print(describeAutoscale(id, autoscale), autoscale);
    });
}

function describeAutoscale(id: string, { enabled, minMemoryMB, maxMemoryMB }: Autoscale): string {
  return enabled
    ? `Autoscale enabled for ${id} (${minMemoryMB}–${maxMemoryMB} MB)`
    : `Autoscale disabled for ${id}`;
}

function addLocks(parent: Command, context: CliContext): void {
  const define = (
    name: string,
    summary: string,
    work: (sandbox: Sandbox) => Promise<{ locked: boolean }>,
  ) =>
    defineCommand(parent, `${name} <sandbox-id>`, {
      summary,
      examples: [`oc sandbox ${name} sb-abc123`],
    }).action(async (id: string, _options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const working = Sandbox.connect(id, await invocation.connection()).then(work);
      const lock = await invocation.progress("Requesting the lock", working);
      invocation.print(`The size of ${id} is ${lock.locked ? "locked" : "not locked"}`, lock);
    });
  define("lock", "Lock the size of a sandbox; disables autoscale", (sandbox) =>
    sandbox.setScalingLock(true),
  );
  define("unlock", "Unlock the size of a sandbox; does not enable autoscale again", (sandbox) =>
    sandbox.setScalingLock(false),
  );
  define("lock-status", "Show whether the size of a sandbox is locked", (sandbox) =>
    sandbox.getScalingLock(),
  );
}
