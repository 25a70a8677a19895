import { type AttachTerminalOptions, limits, Sandbox } from "@opencomputer/sdk";
import type { Command } from "commander";
import { z } from "zod";
import { defineCommand, readOptions } from "../../arguments/define-command.ts";
import type { CliContext } from "../../cli-context.ts";
import { CliError } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";
import { runTerminal, type TerminalSession } from "./run-terminal.ts";

const optionsSchema = z.object({ shell: z.string().optional(), attach: z.string().optional() });
/** Size for an output that is not a terminal or does not report its size. */
const defaultSize = { cols: 80, rows: 24 };

/** Adds `oc shell`, which passes the shell's exit code to `onExitCode`. */
export function addShell(
  parent: Command,
  context: CliContext,
  onExitCode: (exitCode: number) => void,
): void {
  defineCommand(parent, "shell <sandbox-id>", {
    summary: "Open a terminal in a sandbox and exit with its shell's exit code",
    examples: [
      "oc shell sb-abc123",
      "oc shell sb-abc123 --shell zsh",
      "oc shell sb-abc123 --attach pty-0123   # after ~. at the beginning of a line, or a lost connection",
      "echo 'make test; exit' | oc shell sb-abc123   # piped input is typed",
    ],
  })
    .option("--shell <shell>", "path of the shell, or its name (default: /bin/bash)")
    .option("--attach <session-id>", "attach again to an open terminal")
    .action(async (id: string, _options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const { shell, attach } = readOptions(command, optionsSchema);
      if (shell !== undefined && attach !== undefined) {
        throw new CliError(
          "invalid_usage",
          "--attach opens a terminal whose shell is running: leave out --shell",
        );
      }
      const connecting = Sandbox.connect(id, await invocation.connection());
      const sandbox = await invocation.progress("Connecting", connecting);
      const size = sizeOf(context);
      const open = async (options: AttachTerminalOptions): Promise<TerminalSession> => {
        if (attach === undefined) return await sandbox.pty.create({ ...size, shell, ...options });
        const terminal = await sandbox.pty.attach(attach, options);
        // A resize makes a full-screen program redraw.
        terminal.resize(size.cols, size.rows).catch(() => undefined);
        return terminal;
      };
      if (invocation.json) {
        const output: Uint8Array[] = [];
        const exitCode = await runTerminal(
          { ...context, write: async (data) => void output.push(data) },
          (options) => open(options),
          { sandboxId: id, sizeOf: () => undefined },
        );
        invocation.print("", { exitCode, output: Buffer.concat(output).toString() });
        onExitCode(exitCode);
        return;
      }
      const exitCode = await runTerminal(
        context,
        (options) => invocation.progress("Opening a terminal", open(options)),
        { sandboxId: id, sizeOf: () => sizeOf(context) },
      );
      onExitCode(exitCode);
    });
}

function sizeOf({ stdout }: CliContext): { cols: number; rows: number } {
  if (stdout.isTTY !== true || !stdout.columns || !stdout.rows) return defaultSize;
  const most = limits.terminalSizeMax;
  return { cols: Math.min(stdout.columns, most), rows: Math.min(stdout.rows, most) };
}
