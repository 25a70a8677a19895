import { Sandbox } from "@opencomputer/sdk";
import type { Command } from "commander";
import { z } from "zod";
import { defineCommand, readOptions } from "../../arguments/define-command.ts";
import type { CliContext } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";
import { formatAge } from "../../output/format.ts";
import { signalNumber, toExitCode } from "./signals.ts";
import { streamSession } from "./stream-session.ts";

const killOptionsSchema = z.object({ signal: z.number().optional() });

/** Adds `oc exec list`, `attach` and `kill`, for commands that are already running. */
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
  defineCommand(exec, "list <sandbox-id>", {
    summary: "List the running commands of a sandbox and the last that ended",
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
  defineCommand(exec, "attach <sandbox-id> <session-id>", {
    summary: "Follow a command and exit with its exit code; an interrupt detaches from it",
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
      { input: "part", onInterrupt: () => "detach" },
    );
    if (end.kind === "detached") invocation.note("Detached; the command keeps running.");
    else onExitCode(toExitCode(end.exitCode));
  });
}

/** Decodes each stream; a character that spans two pieces is part of the second. */
async function* textOf(
  session: AsyncIterable<{ stream: "stdout" | "stderr"; data: Uint8Array }>,
): AsyncGenerator<{ stream: "stdout" | "stderr"; text: string }> {
  const create = () => new TextDecoder("utf-8", { ignoreBOM: true });
  const decoders = { stdout: create(), stderr: create() };
  for await (const { stream, data } of session) {
    yield { stream, text: decoders[stream].decode(data, { stream: true }) };
  }
  for (const stream of ["stdout", "stderr"] as const) {
    yield { stream, text: decoders[stream].decode() };
  }
}

function addKill(exec: Command, context: CliContext): void {
  defineCommand(exec, "kill <sandbox-id> <session-id>", {
    summary: "Send a signal to a command and the processes of its group",
    examples: [
      "oc exec kill sb-abc123 exec-0123",
      "oc exec kill sb-abc123 exec-0123 --signal TERM",
    ],
  })
    .option("--signal <signal>", "number or name of the signal (default: KILL)", signalNumber)
    .action(async (id: string, sessionId: string, _options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const { signal } = readOptions(command, killOptionsSchema);
      const connection = await invocation.connection();
      const killing = Sandbox.connect(id, connection).then((sandbox) =>
        sandbox.exec.kill(sessionId, signal),
      );
      await invocation.progress("Sending the signal", killing);
      invocation.print(`Killed ${sessionId}`, { sessionID: sessionId, signal: signal ?? 9 });
    });
}
