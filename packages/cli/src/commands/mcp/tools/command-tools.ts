import { defaults, limits, Sandbox } from "@opencomputer/sdk";
import { z } from "zod";
import { cutMiddle } from "./cut-middle.ts";
import { defineTool, sandboxId, type Tool } from "./define-tool.ts";
import { variables } from "./sandbox-tools.ts";

const outputBytesDefault = 32 * 1024;
const outputBytesMax = 512 * 1024;

const exec = defineTool(
  {
    name: "exec",
    description: [
      "Runs a command in a sandbox to its end and returns its exit code, stdout and stderr.",
      "Files and installed packages stay for later calls; the working directory and shell variables do not.",
      "Start a server or other long work in the background with its output in a file, such as `nohup npm start > server.log 2>&1 &`.",
    ].join(" "),
    input: {
      sandboxId,
      command: z
        .string()
        .min(1)
        .describe("A script for the sandbox's shell, or the name of a program if args are given"),
      args: z
        .array(z.string())
        .describe("Arguments of a program; no shell interprets them")
        .optional(),
      cwd: z.string().describe("Working directory. Default /home/sandbox").optional(),
      envs: variables,
      timeoutSeconds: z
        .number()
        .min(1)
        .max(limits.commandTimeoutSecondsMax)
        .default(defaults.commandTimeoutSeconds)
        .describe("Time after which the command is killed"),
      outputBytesMax: z
        .int()
        .min(256)
        .max(outputBytesMax)
        .default(outputBytesDefault)
        .describe("Bytes of stdout, and of stderr, that are returned: beyond, the middle is cut"),
    },
    hints: { title: "Run a command", destructiveHint: true, openWorldHint: true },
  },
  async (input, connection) => {
    const { args, cwd, envs, timeoutSeconds } = input;
    const sandbox = await Sandbox.connect(input.sandboxId, connection);
    const ran = await sandbox.exec.run(input.command, {
      ...{ args, cwd, envs },
      signal: connection.signal,
      timeout: timeoutSeconds,
    });
    const stdout = cutMiddle(ran.stdout, input.outputBytesMax);
    const stderr = cutMiddle(ran.stderr, input.outputBytesMax);
    const head = {
      exitCode: ran.exitCode,
      stdoutBytesCut: stdout.bytesCut,
      stderrBytesCut: stderr.bytesCut,
      // The service's own bound was met: what came after it is not known.
      ...(ran.truncated === true ? { endIsMissing: true } : {}),
    };
    return [
      JSON.stringify(head),
      ...(stdout.text === "" ? [] : [`stdout:\n${stdout.text}`]),
      ...(stderr.text === "" ? [] : [`stderr:\n${stderr.text}`]),
    ];
  },
);

export const commandTools: readonly Tool[] = [exec];
