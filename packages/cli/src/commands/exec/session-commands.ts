import { Sandbox } from "@opencomputer/sdk";
import type { Command } from "commander";
import { z } from "zod";
import { defineCommand, readOptions } from "../../arguments/define-command.ts";
import type { CliContext } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";
import { formatAge } from "../../output/age.ts";
import { toExitCode } from "./exit-code.ts";
import { signalNumber } from "./signal-option.ts";
import { streamSession } from "./stream-session.ts";

const killOptionsSchema = z.object({ signal: z.number().optional() });

/** Adds `oc exec list|attach|kill`: commands that run without a client. */
export function addSessionCommands(
  exec: Command,
  context: CliContext,
  onExitCode: (exitCode: number) => void,
): void {
  addList(exec, context);
  addAttach(exec, context, onExitCode);
  addKill(exec, context);
}

function addList(exec: Command, context: CliContext): void {
  defineCommand(exec, "list <id>", {
    summary: "List the commands of a sandbox that run, and the last that ended",
    examples: ["oc exec list sb-abc123"],
  }).action(async (id: string, _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const connection = await invocation.connection();
    const listing = Sandbox.connect(id, connection).then((sandbox) => sandbox.exec.list());
    const sessions = await invocation.progress("Listing commands", listing);
    const now = Date.now();
    const rows = sessions.map((session) => [
      session.sessionID,
      session.running ? "running" : `ended (${session.exitCode ?? "?"})`,
      String(session.attachedClients),
      formatAge(session.startedAt, now),
      [session.command, ...session.args].join(" "),
    ]);
    invocation.printTable(["SESSION", "STATUS", "CLIENTS", "AGE", "COMMAND"], rows, sessions);
  });
}

function addAttach(
  exec: Command,
  context: CliContext,
  onExitCode: (exitCode: number) => void,
): void {
  defineCommand(exec, "attach <id> <session-id>", {
    summary: "Follow a command and end with its exit code; an interrupt leaves it running",
    examples: [
      "oc exec attach sb-abc123 exec-0123",
      "echo yes | oc exec attach sb-abc123 exec-0123",
    ],
  }).action(async (id: string, sessionId: string, _options: unknown, command: Command) => {
    const invocation = openInvocation(context, command);
    const connecting = Sandbox.connect(id, await invocation.connection());
    const sandbox = await invocation.progress("Connecting", connecting);
    const { exec: commands } = sandbox;
    if (invocation.json) {
      const output = { stdout: "", stderr: "" };
      for await (const { stream, text } of textOf(await commands.attach(sessionId))) {
        output[stream] += text;
      }
      const { exitCode = 0 } = await commands.get(sessionId);
      invocation.print("", { exitCode, ...output });
      onExitCode(toExitCode(exitCode));
      return;
    }
    const end = await streamSession(
      context,
      (options) => invocation.progress("Attaching", commands.attach(sessionId, options)),
      { input: "part", onInterrupt: () => "leave" },
    );
    if (end.kind === "left") invocation.note("Detached; the command runs on.");
    else onExitCode(toExitCode(end.exitCode));
  });
}

/** Each stream as text; a character that is cut between two pieces is whole in the second. */
async function* textOf(
  session: AsyncIterable<{ stream: "stdout" | "stderr"; data: Uint8Array }>,
): AsyncGenerator<{ stream: "stdout" | "stderr"; text: string }> {
  const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
  for await (const { stream, data } of session) {
    yield { stream, text: decoders[stream].decode(data, { stream: true }) };
  }
  for (const stream of ["stdout", "stderr"] as const) {
    yield { stream, text: decoders[stream].decode() };
  }
}

function addKill(exec: Command, context: CliContext): void {
  defineCommand(exec, "kill <id> <session-id>", {
    summary: "Send a signal to a command and the processes of its group",
    examples: [
      "oc exec kill sb-abc123 exec-0123",
      "oc exec kill sb-abc123 exec-0123 --signal TERM",
    ],
  })
    .option("--signal <signal>", "number or name (default: KILL)", signalNumber)
    .action(async (id: string, sessionId: string, _options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const { signal } = readOptions(command, killOptionsSchema);
      const connection = await invocation.connection();
      const killing = Sandbox.connect(id, connection).then((sandbox) =>
        sandbox.exec.kill(sessionId, signal),
      );
      await invocation.progress("Killing", killing);
      invocation.print(`Killed ${sessionId}`, { sessionID: sessionId, signal: signal ?? 9 });
    });
}
